//! Galera: three nodes of MariaDB that all take writes, two of them with a clock that is wrong.
//!
//! Every node makes its own tables, is once the only node of a cluster of the same name and number, and
//! ends. So all of them hold the same state, and whoever joins is sent what was written since by Galera
//! itself; no program that copies a whole server is needed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use super::debian;
use crate::{
    Result,
    servers::{Account, Make, Maker, MySql, Plan, Program, Server, free_port, put},
};

/// The variable that tells a test where all nodes are, with commas between them.
const NODES: &str = "TASKSTORE_TEST_GALERA_URLS";

const PACKAGES: [&str; 3] = ["mariadb-server-core", "galera-4", "libfaketime"];

/// The name of the method by which a node would be copied, as Galera looks for a program of it.
const METHOD: &str = "nothing";

/// What Galera runs instead of copying a node: both sides say that it is done.
const COPY_NOTHING: &str = "#!/bin/sh
role= gtid=
while [ $# -gt 0 ]; do
  case $1 in --role) role=$2 ;; --gtid) gtid=$2 ;; esac
  shift
done
if [ \"$role\" = joiner ]; then
  echo 'ready 127.0.0.1:1/nothing'
  echo '00000000-0000-0000-0000-000000000000:0'
else
  echo \"done $gtid\"
fi
";

/// The state that every node begins with.
const STATE: &str = "version: 2.1
uuid: 7a5c0001-0000-11f0-8000-000000000001
seqno: 0
safe_to_bootstrap: 1
";

/// How far the clock of each node is off.
const CLOCKS: [Option<&str>; 3] = [None, Some("+2400s"), Some("-3000s")];

/// One node.
#[derive(Debug)]
struct Node {
    server: MySql,
    root: PathBuf,
    clock: Option<&'static str>,
    /// Where the first node is; `None`: this is it.
    first: Option<u16>,
    /// Where the others find it. The port after it is for what it is sent when it joins.
    port: u16,
    synchronized: AtomicBool,
    serving: AtomicBool,
}

/// Starts a cluster of MariaDB and Galera of a release; the first node comes last.
pub(super) fn start(release: &str) -> Result<Vec<Server>> {
    let root = debian::unpacked(release, &PACKAGES)?;
    let mut first = None;
    let mut servers = Vec::new();
    for clock in CLOCKS {
        let server = debian::mysql(release, Maker::MariaDb, &PACKAGES)?;
        let port = two_free_ports()?;
        let (synchronized, serving) = (AtomicBool::default(), AtomicBool::default());
        let node = Node { server, root: root.clone(), clock, first, port, synchronized, serving };
        servers.push(Server::start(&node)?);
        first.get_or_insert(port);
    }
    let urls: Vec<_> = servers.iter().map(|server| server.url.clone()).collect();
    servers.reverse();
    if let Some(first) = servers.last_mut() {
        first.version = format!("{}, three nodes of Galera", first.version);
        first.also = Some((NODES, urls.join(",")));
    }
    Ok(servers)
}

fn two_free_ports() -> Result<u16> {
    loop {
        let port = free_port()?;
        if let Some(next) = port.checked_add(1)
            && crate::servers::is_free(next)
        {
            return Ok(port);
        }
    }
}

impl Node {
    /// What makes a server a node of the cluster at this address.
    fn options(&self, cluster: &str) -> Vec<String> {
        let (port, next) = (self.port, self.port.saturating_add(1));
        let mut options: Vec<String> = [
            "--wsrep-on=ON",
            "--wsrep-node-address=127.0.0.1",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-slave-threads=2",
        ]
        .map(Into::into)
        .into();
        options.extend([
            format!("--wsrep-provider={}", self.root.join("usr/lib/galera/libgalera_smm.so").display()),
            format!("--wsrep-cluster-address=gcomm://{cluster}"),
            format!("--wsrep-sst-method={METHOD}"),
            format!(
                "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{port};ist.recv_addr=127.0.0.1:{next};gcache.size=64M"
            ),
        ]);
        options
    }

    /// What a program of the server is run by: where Galera finds its own, and a clock that is off.
    fn within(&self, folder: &Path, skewed: bool) -> Vec<String> {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".into());
        let mut words = vec!["env".into(), format!("PATH={}:{path}", folder.display())];
        if let Some(clock) = self.clock.filter(|_| skewed) {
            let library = "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
            words.extend([
                format!("LD_PRELOAD={}", self.root.join(library).display()),
                format!("FAKETIME={clock}"),
                "FAKETIME_DONT_FAKE_MONOTONIC=1".into(),
                "FAKETIME_DISABLE_SHM=1".into(),
            ]);
        }
        words
    }
}

impl Make for Node {
    fn name(&self) -> String {
        self.server.name()
    }

    fn accounts(&self) -> &'static [&'static str] {
        self.server.accounts()
    }

    fn plan(&self, folder: &Path, account: Option<Account>, port: u16) -> Result<Plan> {
        let mut plan = self.server.plan(folder, account, port)?;
        put(&folder.join("data/grastate.dat"), STATE, account)?;
        let copy = folder.join(format!("wsrep_sst_{METHOD}"));
        put(&copy, COPY_NOTHING, account)?;
        executable(&copy)?;
        let stop = folder.join("stop.sql");
        put(&stop, "SHUTDOWN;\n", account)?;

        let (socket, init) = (
            format!("--socket={}", folder.join("socket").display()),
            format!("--init-file={}", stop.display()),
        );
        let once = ["--skip-networking", &*socket, &*init];
        let mut alone = self.server.program(&folder.join("data"), &once);
        alone.words.extend(self.options(""));
        // It must not believe to be the newest, nor to have what the first node sends.
        let data = folder.join("data");
        let clean = format!(
            "rm {cache} && sed -i s/bootstrap:.*/bootstrap:{first}/ {state}",
            cache = data.join("galera.cache").display(),
            state = data.join("grastate.dat").display(),
            first = u8::from(self.first.is_none()),
        );
        plan.before.extend([alone, Program::new(["sh", "-c", &clean])]);

        let cluster = self.first.map_or_else(String::new, |port| format!("127.0.0.1:{port}"));
        plan.server.words.extend(self.options(&cluster));
        plan.server.words.splice(..0, self.within(folder, true));
        Ok(plan)
    }

    fn is_ready(&self, line: &str) -> bool {
        // In either order. Before it serves it was ready once, when it was alone.
        if line.contains("Synchronized with group") && line.contains("WSREP") {
            self.synchronized.store(true, Ordering::Relaxed);
        }
        if line.contains("WSREP: Loading provider") {
            self.synchronized.store(false, Ordering::Relaxed);
            self.serving.store(false, Ordering::Relaxed);
        }
        if self.server.is_ready(line) {
            self.serving.store(true, Ordering::Relaxed);
        }
        self.synchronized.load(Ordering::Relaxed) && self.serving.load(Ordering::Relaxed)
    }

    fn version(&self, line: &str) -> Option<String> {
        self.server.version(line)
    }

    fn url(&self, port: u16) -> String {
        self.server.url(port)
    }
}

#[cfg(unix)]
fn executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

#[cfg(not(unix))]
fn executable(_: &Path) -> Result<()> {
    Err("Galera runs on Linux".into())
}
