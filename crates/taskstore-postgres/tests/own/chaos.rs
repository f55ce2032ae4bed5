//! Random histories while connections are cut, lost and half closed and the server is frozen and killed,
//! judged by what the promises allow.

use std::{sync::Arc, time::Duration};

use taskstore_conformance::{
    Proxy, Weather,
    stress::{self, Options},
};
use taskstore_core::{Backend, backend::Migrate};
use taskstore_postgres::{PostgresBackend, PostgresOptions};

use crate::{
    Test,
    own::{self, OwnServer},
};

pub(crate) const TESTS: &[Test] = &[(
    "what_is_cut_frozen_and_killed_at_random_keeps_every_promise",
    what_is_cut_frozen_and_killed_at_random_keeps_every_promise,
)];

/// Between two harms.
const CALM: Duration = Duration::from_millis(250);

fn what_is_cut_frozen_and_killed_at_random_keeps_every_promise() {
    let server = OwnServer::boot(&["fsync=on"]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let proxy = Proxy::before(server.address()).await.unwrap();
        let open = async |url: String| {
            let options = PostgresOptions::from_url(&url).unwrap();
            let options = options.connect_timeout(Duration::from_secs(1));
            PostgresBackend::open(options).await.unwrap()
        };
        let direct = open(server.url()).await;
        direct.migrate(&Migrate::up()).await.unwrap();
        let mut handles: Vec<Arc<dyn Backend>> = Vec::new();
        for _ in 0..3 {
            handles.push(Arc::new(open(own::url(proxy.port())).await));
        }
        let seed = std::env::var("TASKSTORE_SEED")
            .map_or_else(|_| u64::from(std::process::id()) << 20, |seed| seed.parse().unwrap());
        stress::prepare(&direct, seed).await.unwrap();
        let mut options = Options::new(seed);
        options.faults = 0.0;
        options.lasts = options.lasts.max(Duration::from_secs(6));
        let workers = tokio::spawn(async move { stress::workers(&handles, options).await });
        let mut harms = 0;
        while !workers.is_finished() {
            harm(&server, &proxy, harms).await;
            harms += 1;
        }
        // What the server still keeps for sessions that are lost ends with them.
        proxy.cut();
        let history = workers.await.unwrap().unwrap();
        let tally = stress::finish(Arc::new(direct), seed, history)
            .await
            .unwrap_or_else(|violations| panic!("seed {seed}:\n{}", violations.join("\n")));
        assert!(harms > 4 && tally.unknown > 20, "seed {seed}: {harms} {tally:?}");
        assert!(tally.claims > 0 && tally.settled > 0, "seed {seed}: {tally:?}");
    });
}

/// One harm after the other, and a calm between.
async fn harm(server: &OwnServer, proxy: &Proxy, number: u32) {
    tokio::time::sleep(CALM).await;
    match number % 8 {
        0 | 4 => proxy.cut(),
        1 | 5 => {
            proxy.turn(Weather::NoAnswers);
            tokio::time::sleep(CALM / 3).await;
            proxy.cut();
        }
        2 => proxy.half_close(),
        3 => {
            server.freeze();
            tokio::time::sleep(CALM).await;
            // Lost by us, and still to be done by the server.
            proxy.cut();
            server.thaw();
        }
        6 => proxy.forget(),
        _ => {
            server.kill();
            server.start();
        }
    }
    if number % 8 == 6 {
        tokio::time::sleep(CALM).await;
        proxy.cut();
    }
    proxy.turn(Weather::Fair);
}
