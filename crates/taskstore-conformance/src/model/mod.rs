//! Random sequences of requests, made to the store under test and to the store in memory, which
//! must answer alike, position by position, and hold the same in the end.
//!
//! Ids and times are the caller's, so that both are asked exactly the same. What fails is shrunk to
//! a short sequence, which is shown request by request. Nothing here runs at the same time as
//! anything else: that is the [stress](crate::stress).

mod op;
mod play;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;

use proptest::{
    prelude::ProptestConfig,
    test_runner::{RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};
use taskstore_core::Backend;

use self::{op::Op, play::Play};

/// So many requests are in the longest sequence.
const OPS_MAX: usize = 60;
/// So many shorter sequences are tried when one has failed.
const SHRINKS_MAX: u32 = 600;
/// And for so long, in milliseconds: a store that waits for a disk must not hang over them until the
/// case's deadline, which would hide what was found.
const SHRINK_MILLIS_MAX: u32 = 20_000;

/// Plays `cases` sequences, all made from `seed`, each on a fresh and migrated store from `open`.
///
/// # Errors
/// The shortest sequence that was found to be answered differently, request by request.
pub async fn run<F, O>(open: F, cases: u32, seed: u64) -> Result<(), String>
where
    F: Fn() -> O + Send + 'static,
    O: Future<Output = Arc<dyn Backend>> + Send,
{
    let runtime = tokio::runtime::Handle::current();
    let all = move || {
        let config = ProptestConfig {
            cases,
            max_shrink_iters: SHRINKS_MAX,
            max_shrink_time: SHRINK_MILLIS_MAX,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes(seed));
        let mut runner = TestRunner::new_with_rng(config, rng);
        let sequences = proptest::collection::vec(op::any(), 1..OPS_MAX);
        runner.run(&sequences, |ops| {
            let played = runtime.block_on(async { play(open().await, &ops).await });
            played.map_err(TestCaseError::fail)
        })
    };
    match tokio::task::spawn_blocking(all).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(TestError::Fail(why, _) | TestError::Abort(why))) => {
            Err(format!("seed {seed}: {}", why.message()))
        }
        Err(error) => Err(format!("seed {seed}: the model stopped: {error}")),
    }
}

async fn play(tested: Arc<dyn Backend>, ops: &[Op]) -> Result<(), String> {
    let mut play = Play::new(tested).await?;
    for op in ops {
        play.play(op).await?;
    }
    play.compare_all().await
}

fn bytes(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, from) in bytes.iter_mut().zip(seed.to_le_bytes()) {
        *byte = from;
    }
    bytes
}
