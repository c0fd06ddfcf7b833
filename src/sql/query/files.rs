//! `FILES("path" = "…", "format" = "parquet|csv|json", …)` as a table: one file, a directory or a pattern. The schema is read
//! from the files.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::TableSource;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, ObjectName, TableFunctionArgs,
};

use crate::error::{Error, Result};
use crate::sql::query::failure::inward;
use crate::sql::query::resolve::Resolver;

/// Rows of a CSV or JSON file that its schema is taken from.
const ROWS_LOOKED_AT: usize = 10_000;

/// Whether a table function is FILES.
pub(super) fn is_files(name: &ObjectName) -> bool {
    name.0.len() == 1 && name.0[0].as_ident().is_some_and(|ident| ident.value.eq_ignore_ascii_case("files"))
}

/// The table that FILES stands for; looked at once for a query that names the same twice.
pub(super) fn source(resolver: &Arc<Resolver>, args: &TableFunctionArgs) -> Result<Arc<dyn TableSource>> {
    let options = Options::of(args).map_err(|error| error.context("FILES"))?;
    let key = format!("FILES {options:?}");
    if let Some(known) = resolver.sources.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return Ok(known.clone());
    }
    let table = options.table(resolver).map_err(|error| error.context(format!("FILES {:?}", options.path)))?;
    let source = provider_as_source(Arc::new(table));
    resolver.sources.lock().unwrap_or_else(PoisonError::into_inner).insert(key, source.clone());
    Ok(source)
}

#[derive(Debug)]
struct Options {
    path: String,
    format: String,
    separator: u8,
    enclose: u8,
    escape: Option<u8>,
    has_header: bool,
}

impl Options {
    fn of(args: &TableFunctionArgs) -> Result<Options> {
        let mut options = Options {
            path: String::new(),
            format: String::new(),
            separator: b',',
            enclose: b'"',
            escape: None,
            has_header: false,
        };
        for argument in &args.args {
            let (key, value) = pair(argument)
                .ok_or_else(|| Error::invalid(format!("expected \"key\" = \"value\", found {argument}")))?;
            options.set(&key.to_lowercase(), value)?;
        }
        if options.path.is_empty() {
            return Err(Error::invalid("\"path\" is missing: a file, a directory or a pattern such as data/*.parquet"));
        }
        if options.format.is_empty() {
            let ending = Path::new(&options.path).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            options.format = ending.to_lowercase();
        }
        Ok(options)
    }

    fn set(&mut self, key: &str, value: String) -> Result<()> {
        match key {
            "path" => self.path = value.strip_prefix("file://").map_or(value.clone(), str::to_owned),
            "format" => self.format = value.to_lowercase(),
            "csv.column_separator" => self.separator = one_byte(key, &value)?,
            "csv.enclose" => self.enclose = one_byte(key, &value)?,
            "csv.escape" => self.escape = Some(one_byte(key, &value)?),
            "csv.skip_header" => {
                self.has_header = match value.as_str() {
                    "0" | "false" => false,
                    "1" | "true" => true,
                    _ => return Err(Error::unsupported(format!("{key} = {value:?}: use 0 or 1, the line of names"))),
                }
            }
            "csv.row_delimiter" if value == "\n" || value == "\\n" => {}
            _ => {
                return Err(Error::unsupported(format!(
                    "property {key:?} = {value:?}: use path, format, csv.column_separator, csv.enclose, csv.escape and \
                     csv.skip_header"
                )));
            }
        }
        Ok(())
    }

    fn file_format(&self) -> Result<Arc<dyn FileFormat>> {
        Ok(match self.format.as_str() {
            "parquet" => Arc::new(ParquetFormat::default()),
            "csv" => Arc::new(
                CsvFormat::default()
                    .with_has_header(self.has_header)
                    .with_delimiter(self.separator)
                    .with_quote(self.enclose)
                    .with_escape(self.escape)
                    .with_schema_infer_max_rec(ROWS_LOOKED_AT),
            ),
            "json" | "jsonl" | "ndjson" => Arc::new(JsonFormat::default().with_schema_infer_max_rec(ROWS_LOOKED_AT)),
            other => {
                return Err(Error::unsupported(format!("format {other:?}: use \"parquet\", \"csv\" or \"json\"")));
            }
        })
    }

    fn table(&self, resolver: &Arc<Resolver>) -> Result<ListingTable> {
        let options = ListingOptions::new(self.file_format()?).with_file_extension("");
        let url = ListingTableUrl::parse(&self.path).map_err(inward)?;
        let state = &resolver.statement.state;
        // Planning runs on a thread of the engine's runtime, which another one stands in for meanwhile.
        let handle = tokio::runtime::Handle::current();
        let inferred = tokio::task::block_in_place(|| handle.block_on(options.infer_schema(state, &url)));
        let schema = inferred.map_err(|error| match inward(error) {
            error if error.to_string().contains("No files found") => Error::not_found("there is no such file"),
            error => error,
        })?;
        if schema.fields().is_empty() {
            return Err(Error::not_found("there is no file with columns"));
        }
        let config = ListingTableConfig::new(url).with_listing_options(options).with_schema(schema);
        ListingTable::try_new(config).map_err(inward)
    }
}

fn pair(argument: &FunctionArg) -> Option<(String, String)> {
    let expr = |argument: &FunctionArgExpr| match argument {
        FunctionArgExpr::Expr(expr) => text(expr),
        _ => None,
    };
    match argument {
        FunctionArg::Named { name, arg, .. } => Some((name.value.clone(), expr(arg)?)),
        FunctionArg::ExprNamed { name, arg, .. } => Some((text(name)?, expr(arg)?)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::BinaryOp { left, op: BinaryOperator::Eq, right })) => {
            Some((text(left)?, text(right)?))
        }
        FunctionArg::Unnamed(_) => None,
    }
}

fn text(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => value.value.clone().into_string().or_else(|| Some(value.value.to_string())),
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => {
            Some(parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join("."))
        }
        _ => None,
    }
}

fn one_byte(key: &str, value: &str) -> Result<u8> {
    match value {
        "\\t" => Ok(b'\t'),
        value if value.len() == 1 => Ok(value.as_bytes()[0]),
        value => Err(Error::unsupported(format!("{key} = {value:?}: use one ASCII character"))),
    }
}
