//! The result: medians, as a table for eyes or as JSON for programs.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::cli::bench::cases::Case;
use crate::cli::bench::fixture::Sizes;
use crate::cli::bench::machine::Machine;
use crate::cli::bench::meter::{self, Run};
use crate::cli::output;
use crate::error::{Error, Result};
use crate::fs::Fs;

/// Everything that `--format json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    build: &'static str,
    caches: &'static str,
    machine: Machine,
    sizes: Sizes,
    /// The most memory the process ever had, mapped files among it.
    peak_resident_bytes: Option<u64>,
    cases: Vec<CaseReport>,
}

/// One case.
#[derive(Debug, Serialize)]
pub(super) struct CaseReport {
    case: &'static str,
    about: &'static str,
    seconds: Spread,
    cpu_seconds: Option<f64>,
    peak_memory_bytes: Option<u64>,
    amounts: Map<String, Value>,
    runs_seconds: Vec<f64>,
}

/// The least, the middle and the most of several numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Report {
    pub(super) fn new(machine: Machine, sizes: Sizes, cases: Vec<CaseReport>) -> Report {
        let build = if cfg!(debug_assertions) { "debug" } else { "optimized" };
        let peak_resident_bytes = meter::peak_resident_bytes(&Fs::os());
        Report { version: env!("CARGO_PKG_VERSION"), build, caches: "hot", machine, sizes, peak_resident_bytes, cases }
    }

    pub(super) fn print_json(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::invalid("the result cannot be written as JSON").with_source(error))?;
        output::line(text)
    }

    pub(super) fn print_table(&self) -> Result<()> {
        let machine = &self.machine;
        let unknown = || "unknown".to_owned();
        output::line(format!(
            "stele {} ({}), scale {}; {} cores of {}, {} of memory, {} on {}; hot caches\n",
            self.version,
            self.build,
            self.sizes.scale,
            machine.cores.map_or_else(unknown, |cores| cores.to_string()),
            machine.processor.clone().unwrap_or_else(unknown),
            machine.memory_bytes.map_or_else(unknown, output::bytes),
            machine.file_system.clone().unwrap_or_else(unknown),
            machine.system
        ))?;
        let rows: Vec<Vec<String>> = self.cases.iter().map(CaseReport::cells).collect();
        output::table(&["case", "median s", "min s", "max s", "cpu s", "memory", "rate", "amounts"], &rows)
    }
}

impl CaseReport {
    /// Of at least one run.
    pub(super) fn new(case: &'static Case, runs: Vec<Run>) -> CaseReport {
        let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        let cpu: Option<Vec<f64>> = runs.iter().map(|run| run.cpu_seconds).collect();
        let last = runs.last();
        let amounts = last.into_iter().flat_map(|run| &run.amounts);
        CaseReport {
            case: case.name,
            about: case.about,
            seconds: Spread::of(&seconds),
            cpu_seconds: cpu.map(|cpu| rounded(Spread::of(&cpu).median)),
            peak_memory_bytes: runs.iter().filter_map(|run| run.peak_memory_bytes).max(),
            amounts: amounts.map(|(name, amount)| ((*name).to_owned(), number(*amount))).collect(),
            runs_seconds: seconds.into_iter().map(rounded).collect(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let seconds = |value: f64| format!("{value:.3}");
        let (first, amount) = match self.amounts.iter().next() {
            Some((name, amount)) => (name.as_str(), amount.as_f64().unwrap_or(0.0)),
            None => ("", 0.0),
        };
        let rate = amount / self.seconds.median.max(1e-6);
        vec![
            self.case.to_owned(),
            seconds(self.seconds.median),
            seconds(self.seconds.min),
            seconds(self.seconds.max),
            self.cpu_seconds.map(|cpu| format!("{cpu:.2}")).unwrap_or_default(),
            self.peak_memory_bytes.map(output::bytes).unwrap_or_default(),
            match first {
                "" => String::new(),
                "bytes" => format!("{}/s", output::bytes(rate as u64)),
                name => format!("{} {name}/s", output::count(rate as u64)),
            },
            self.amounts.iter().map(|(name, amount)| amount_text(name, amount)).collect::<Vec<_>>().join(", "),
        ]
    }
}

impl Spread {
    fn of(values: &[f64]) -> Spread {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
        let median = f64::midpoint(at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2));
        Spread { min: rounded(at(0)), median: rounded(median), max: rounded(at(sorted.len().saturating_sub(1))) }
    }
}

/// To the microsecond: what lies below is noise.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// Whole numbers without a point.
fn number(amount: f64) -> Value {
    match amount.fract() == 0.0 && amount >= 0.0 {
        true => Value::from(amount as u64),
        false => Value::from(rounded(amount)),
    }
}

fn amount_text(name: &str, amount: &Value) -> String {
    match (amount.as_u64(), amount.as_f64()) {
        (Some(bytes), _) if name.contains("bytes") => format!("{name} {}", output::bytes(bytes)),
        (Some(count), _) => format!("{name} {}", output::count(count)),
        (None, number) => format!("{name} {:.4}", number.unwrap_or(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0]), Spread { min: 1.0, median: 2.0, max: 4.0 });
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]), Spread { min: 1.0, median: 2.5, max: 4.0 });
        assert_eq!(Spread::of(&[0.5]), Spread { min: 0.5, median: 0.5, max: 0.5 });
    }

    #[test]
    fn amounts_are_whole_where_they_can_be() {
        assert_eq!(number(3.0).to_string(), "3");
        assert_eq!(number(1.5).to_string(), "1.5");
        assert_eq!(amount_text("rows", &number(1234.0)), "rows 1,234");
        assert_eq!(amount_text("bytes", &number(1234.0)), "bytes 1.2 kB");
        assert_eq!(amount_text("last to first", &number(1.25)), "last to first 1.2500");
    }
}
