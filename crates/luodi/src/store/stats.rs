//! What the store counts, for benches and the operations page.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commands answered by a group that was not lost, refused ones included.
    pub commands: u64,
    /// Statements run by commands, those of the store's own included.
    pub statements: u64,
    /// Groups ended, by a commit or because all their commands were refused.
    pub groups: u64,
    /// Groups that had something to commit.
    pub commits: u64,
    /// Bytes written to the log (page size plus 24 for each frame).
    pub bytes_written: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    commands: AtomicU64,
    statements: AtomicU64,
    groups: AtomicU64,
    commits: AtomicU64,
    bytes_written: AtomicU64,
}

/// Bytes of a frame's header in SQLite's log (sqlite.org/fileformat2.html, 4.1).
const FRAME_HEADER: u64 = 24;

impl Counters {
    pub(super) fn statements(&self, count: u64) {
        self.statements.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn group(&self, commands: usize, committed: bool) {
        self.commits
            .fetch_add(u64::from(committed), Ordering::Relaxed);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(commands as u64, Ordering::Relaxed);
    }

    pub(super) fn frames(&self, frames: u32, page_size: u32) {
        let bytes = u64::from(frames) * (u64::from(page_size) + FRAME_HEADER);
        self.bytes_written.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Stats {
        Stats {
            commands: self.commands.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
            groups: self.groups.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            bytes_written: self.bytes_written.load(Ordering::Relaxed),
        }
    }
}
