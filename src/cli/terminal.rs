//! Progress on the terminal, and Ctrl-C. Bars where standard error is a terminal, one plain line a phase otherwise.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::output;
use crate::error::{Error, Result};
use crate::progress::{Cancel, Observer, Phase, Progress};

/// The terminal of this process.
pub(super) struct Terminal {
    /// What Ctrl-C cancels; a prompt begins each statement with a new one.
    cancel: Arc<Mutex<Cancel>>,
    bars: Option<MultiProgress>,
}

impl Terminal {
    /// Takes over Ctrl-C and SIGTERM: the running operation stops before its commit point and cleans up. Pressed again,
    /// the process ends at once; what it leaves is removed when the store is next opened for writing.
    pub(super) fn new() -> Result<Terminal> {
        let cancel = Arc::new(Mutex::new(Cancel::new()));
        let handle = cancel.clone();
        ctrlc::set_handler(move || {
            let cancel = handle.lock().unwrap_or_else(PoisonError::into_inner);
            match cancel.is_cancelled() {
                true => std::process::exit(i32::from(super::EXIT_CANCELLED)),
                false => cancel.cancel(),
            }
        })
        .map_err(|error| Error::invalid("cannot handle Ctrl-C in this process").with_source(error))?;
        let bars = std::io::stderr().is_terminal().then(MultiProgress::new);
        Ok(Terminal { cancel, bars })
    }

    /// An observer for one operation, named in front of its phases.
    pub(super) fn observer(&self, operation: &str) -> Observer {
        let progress: Arc<dyn Progress> = match &self.bars {
            Some(bars) => {
                Arc::new(Bars { operation: operation.to_owned(), bars: bars.clone(), running: Mutex::default() })
            }
            None => Arc::new(Lines { operation: operation.to_owned(), running: Mutex::default() }),
        };
        Observer::new(progress, self.cancel())
    }

    /// As [`Terminal::observer`], but without lines where standard error is no terminal.
    pub(super) fn quiet_observer(&self, operation: &str) -> Observer {
        if self.bars.is_some() { self.observer(operation) } else { self.silent_observer() }
    }

    /// An observer that shows nothing and stops when the user asks for it.
    pub(super) fn silent_observer(&self) -> Observer {
        Observer::cancelled_by(self.cancel())
    }

    /// What Ctrl-C cancels now.
    pub(super) fn cancel(&self) -> Cancel {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on Ctrl-C cancels what is yet to begin: what was cancelled before is over.
    pub(super) fn renew_cancel(&self) {
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = Cancel::new();
    }

    /// Writes a line about how far the work is to standard error, above running bars.
    pub(super) fn note(&self, text: &str) {
        // Progress is decoration: nobody to read it is no failure of the command.
        let write = || drop(writeln!(std::io::stderr(), "{text}"));
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    /// Writes a line of a report, above running bars.
    pub(super) fn say(&self, text: impl AsRef<str>) -> Result<()> {
        match &self.bars {
            Some(bars) => bars.suspend(|| output::line(&text)),
            None => output::line(&text),
        }
    }

    /// Stops with an error once the user asked for it.
    pub(super) fn check(&self) -> Result<()> {
        self.silent_observer().check()
    }

    /// Removes what the bars left.
    pub(super) fn finish(&self) {
        if let Some(bars) = &self.bars {
            // The bars are decoration: a terminal that went away is no failure of the command.
            let _ = bars.clear();
        }
    }
}

struct Bars {
    operation: String,
    bars: MultiProgress,
    running: Mutex<HashMap<Phase, (ProgressBar, u64)>>,
}

impl Progress for Bars {
    fn begin(&self, phase: Phase, items_total: u64, bytes_total: u64) {
        let (total, template) = match (bytes_total, items_total) {
            (0, 0) => (0, "{prefix:>20} {spinner} {msg} {elapsed}"),
            (0, items) => (items, "{prefix:>20} {bar:32} {human_pos}/{human_len} {elapsed} eta {eta}"),
            (bytes, _) => (bytes, "{prefix:>20} {bar:32} {bytes}/{total_bytes} {bytes_per_sec} eta {eta}"),
        };
        let bar = self.bars.add(match total {
            0 => ProgressBar::new_spinner(),
            total => ProgressBar::new(total),
        });
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{} {phase}", self.operation));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(phase, (bar, if bytes_total > 0 { 1 } else { 0 }));
    }

    fn advance(&self, phase: Phase, items: u64, bytes: u64) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bar, by_bytes)) = running.get(&phase) {
            bar.inc(if *by_bytes > 0 { bytes } else { items });
            if bar.length().is_none() {
                bar.set_message(output::count(bar.position()));
            }
        }
    }

    fn end(&self, phase: Phase) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((bar, _)) = running.remove(&phase) {
            bar.finish_and_clear();
        }
    }
}

struct Lines {
    operation: String,
    running: Mutex<HashMap<Phase, Amounts>>,
}

struct Amounts {
    since: Instant,
    items: u64,
    bytes: u64,
}

impl Progress for Lines {
    fn begin(&self, phase: Phase, _items_total: u64, _bytes_total: u64) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(phase, Amounts { since: Instant::now(), items: 0, bytes: 0 });
    }

    fn advance(&self, phase: Phase, items: u64, bytes: u64) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(amounts) = running.get_mut(&phase) {
            amounts.items += items;
            amounts.bytes += bytes;
        }
    }

    fn end(&self, phase: Phase) {
        let ended = self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&phase);
        let Some(amounts) = ended else { return };
        let elapsed_ms = amounts.since.elapsed().as_millis() as u64;
        let (items, bytes) = (output::count(amounts.items), output::bytes(amounts.bytes));
        // Progress is decoration: nobody to read it is no failure of the command.
        let _ = writeln!(
            std::io::stderr(),
            "{} {phase}: {items} items, {bytes}, {}",
            self.operation,
            output::seconds(elapsed_ms)
        );
    }
}
