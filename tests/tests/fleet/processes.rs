//! Worker processes, and the signals that harm them.

use std::{
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use taskstore::{Store, TaskId};

/// A worker process; killed when it is dropped.
pub(crate) struct Worker {
    child: Child,
}

impl Worker {
    pub(crate) fn start(url: &str, folder: &Path, lease: Duration, concurrency: usize) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_taskstore-test-worker"))
            .args([url, folder.to_str().unwrap()])
            .args([lease.as_millis().to_string(), concurrency.to_string()])
            .stdin(Stdio::null())
            .spawn()
            .expect("the worker starts");
        Self { child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_died(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(status.unwrap().success(), "kill -{name} {}", self.id());
    }

    /// How it ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// kill -9, without a chance to say anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for its end, which must be a good one.
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        assert!(self.child.wait().unwrap().success(), "a stopped worker ends well");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether all of these tasks are over; forgets those that are, from the end, which ends last.
pub(crate) async fn all_over(store: &Store, open: &mut Vec<TaskId>) -> bool {
    while let Some(&id) = open.last() {
        if !store.tasks().get(id).await.unwrap().status.has_ended() {
            return false;
        }
        open.pop();
    }
    true
}
