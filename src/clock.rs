//! The clock is a handle passed in, so that tests decide what time it is. Time never decides safety, only
//! how long something is kept and what people are shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A source of wall-clock time; cheap to clone.
///
/// ```
/// use steledb::Clock;
/// let clock = Clock::manual(1_000);
/// clock.advance(500);
/// assert_eq!(clock.now_ms(), 1_500);
/// assert!(Clock::system().now_ms() > clock.now_ms());
/// ```
#[derive(Clone, Default)]
pub struct Clock {
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Clock {
        Clock { manual: None }
    }

    /// A clock that stands at `now_ms` until [`Clock::advance`].
    pub fn manual(now_ms: i64) -> Clock {
        Clock { manual: Some(Arc::new(AtomicI64::new(now_ms))) }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn now_ms(&self) -> i64 {
        match &self.manual {
            Some(now_ms) => now_ms.load(Ordering::SeqCst),
            None => chrono::Utc::now().timestamp_millis(),
        }
    }

    /// Moves a manual clock forward; without effect on the clock of the machine.
    pub fn advance(&self, by_ms: i64) {
        if let Some(now_ms) = &self.manual {
            now_ms.fetch_add(by_ms, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_clock_moves_only_when_told() {
        let clock = Clock::manual(5);
        assert_eq!(clock.now_ms(), 5);
        clock.clone().advance(7);
        assert_eq!(clock.now_ms(), 12);
    }
}
