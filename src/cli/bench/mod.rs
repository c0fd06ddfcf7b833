//! `stele bench`: what this machine does with this build, measured through the library as a user would call it.
//!
//! Everything durable is measured with its syncs. Caches are hot: files that were just written or read are in memory, and
//! what is read often is read once before it is measured.

mod cases;
mod copies;
mod fixture;
mod input;
mod machine;
mod many;
mod meter;
mod q1;
mod report;
mod rows;
mod small;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use crate::cli::bench::cases::Case;
use crate::cli::bench::fixture::{Bench, Sizes};
use crate::cli::bench::machine::Machine;
use crate::cli::bench::report::{CaseReport, Report};
use crate::cli::{Ended, Session, tpch};
use crate::error::{Error, Result};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Args)]
#[command(after_help = cases::help())]
pub(super) struct BenchArguments {
    /// Size of TPC-H lineitem; 1 is about 6 million rows. The other amounts follow it.
    #[arg(long, default_value_t = 1.0, value_parser = tpch::parse_scale)]
    scale: f64,
    /// Load this lineitem, a Parquet (.parquet) or CSV (.csv, with a header) file, instead of generating one; may be
    /// repeated with a file of the other kind. Give its scale as well.
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// How often each case is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
    /// Only these cases.
    #[arg(long, value_delimiter = ',', value_name = "CASES", hide_possible_values = true,
        value_parser = PossibleValuesParser::new(cases::names()))]
    only: Vec<String>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where to work: a directory on the disk to be measured, missing, empty or kept by an earlier run. It goes at the end
    /// with all that is in it, unless --keep says otherwise. A fresh one for temporary files without it.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Leave what was prepared in --dir; a later run with the same amounts measures it without preparing it again.
    #[arg(long, requires = "dir")]
    keep: bool,
    /// Loads of the case `commits`; 1,000 for each unit of scale, 200 to 10,000 without it.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(200..=1_000_000))]
    commits: Option<u64>,
    /// Tables of the case `tables`; 100 for each unit of scale, 10 to 1,000 without it.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    tables: Option<u64>,
    /// Segments of the cases `many-…`; 10,000 for each unit of scale, 100 to 100,000 without it.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    segments: Option<u64>,
    /// Bytes of the one value in each of those segments, which nothing compresses.
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    segment_bytes: u64,
}

pub(super) fn run(session: &Session, arguments: &BenchArguments) -> Result<Ended> {
    let sizes = sizes(arguments);
    let chosen = chosen(arguments)?;
    let mut bench = Bench::begin(session, sizes, arguments.dir.as_deref(), arguments.keep)?;
    let mut reports = Vec::new();
    for case in chosen {
        reports.push(run_case(&mut bench, case, arguments.runs)?);
    }
    let report = Report::new(Machine::look(bench.dir()), bench.sizes().clone(), reports);
    match arguments.format {
        Format::Table => report.print_table()?,
        Format::Json => report.print_json()?,
    }
    Ok(Ended::Done)
}

fn sizes(arguments: &BenchArguments) -> Sizes {
    let scaled = |for_one: u64, least: u64, most: u64| {
        let amount = arguments.scale * for_one as f64;
        (amount.round() as u64).clamp(least, most)
    };
    Sizes {
        scale: arguments.scale,
        input: arguments.input.clone(),
        commits: arguments.commits.unwrap_or_else(|| scaled(1000, 200, 10_000)),
        tables: arguments.tables.unwrap_or_else(|| scaled(100, 10, 1000)),
        segments: arguments.segments.unwrap_or_else(|| scaled(10_000, 100, 100_000)),
        segment_bytes: arguments.segment_bytes,
    }
}

/// The cases asked for, in the order they run; all that the input allows without a choice.
fn chosen(arguments: &BenchArguments) -> Result<Vec<&'static Case>> {
    for file in &arguments.input {
        input::Kind::of(file)?;
    }
    let is_possible = |case: &Case| {
        let kind = case.input;
        arguments.input.is_empty()
            || kind.is_none()
            || arguments.input.iter().any(|file| input::Kind::of(file).ok() == kind)
    };
    let is_chosen = |case: &&Case| arguments.only.iter().any(|name| name == case.name);
    if arguments.only.is_empty() {
        return Ok(cases::ALL.iter().filter(|case| is_possible(case)).collect());
    }
    let chosen: Vec<_> = cases::ALL.iter().filter(is_chosen).collect();
    match chosen.iter().find(|case| !is_possible(case)) {
        Some(case) => Err(Error::invalid(format!(
            "case {} needs a file of another kind: give it with --input as well, or give none",
            case.name
        ))),
        None => Ok(chosen),
    }
}

/// Runs one case as often as asked; what reads is run once before, so that caches are hot.
fn run_case(bench: &mut Bench<'_>, case: &'static Case, runs: u32) -> Result<CaseReport> {
    let runs = if case.once { 1 } else { runs };
    bench.give_memory_back();
    if case.warm {
        bench.note(&format!("{} warm-up", case.name));
        (case.run)(bench)?;
    }
    let mut measured = Vec::new();
    for number in 1..=runs {
        bench.check()?;
        bench.title(format!("{} {number}/{runs}", case.name));
        let run = (case.run)(bench)?;
        bench.note(&format!("{} {number}/{runs}: {:.3} s", case.name, run.seconds));
        measured.push(run);
    }
    Ok(CaseReport::new(case, measured))
}
