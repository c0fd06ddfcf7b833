//! Errors of DataFusion as errors of ours, and the way there and back for those of ours that travel through it.

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::error::{Error, ErrorKind};

/// An error of ours on its way through DataFusion.
pub(super) fn outward(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// An error of DataFusion: one of ours comes out as it went in.
pub(super) fn inward(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => match source.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(source) => match source.downcast::<DataFusionError>() {
                Ok(inner) => inward(*inner),
                Err(source) => Error::new(ErrorKind::Io, format!("the query failed: {source}")).with_source(source),
            },
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => inward(*inner),
        DataFusionError::ArrowError(error, _) => match *error {
            ArrowError::ExternalError(source) => inward(DataFusionError::External(source)),
            error => of_arrow(&error),
        },
        error => described(&error),
    }
}

/// The same of an error that is shared: one of ours is made again with its kind and message.
fn described(error: &DataFusionError) -> Error {
    let message = |kind, text: &str| Error::new(kind, clean(text));
    match error {
        DataFusionError::External(source) => match source.downcast_ref::<Error>() {
            Some(ours) => Error::new(ours.kind(), ours.to_string()),
            None => Error::new(ErrorKind::Io, format!("the query failed: {source}")),
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => described(inner),
        DataFusionError::Shared(inner) => described(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => described(first),
            None => Error::invalid("the query failed"),
        },
        DataFusionError::ArrowError(error, _) => of_arrow(error),
        DataFusionError::ParquetError(error) => Error::corrupt(format!("a Parquet file cannot be read: {error}")),
        DataFusionError::IoError(error) => Error::new(ErrorKind::Io, format!("the query failed: {error}")),
        DataFusionError::SchemaError(error, _) => match **error {
            SchemaError::FieldNotFound { .. } => message(ErrorKind::NotFound, &error.to_string()),
            _ => message(ErrorKind::Invalid, &error.to_string()),
        },
        DataFusionError::NotImplemented(text) => message(ErrorKind::Unsupported, text),
        DataFusionError::Internal(text) => {
            Error::unsupported(format!("this query cannot be run: {}; write it in another way", clean(text)))
        }
        DataFusionError::ResourcesExhausted(text) => {
            let way_out = "run fewer queries at once, or give queries more memory";
            Error::unavailable(format!("the query needs more memory than it may take: {}: {way_out}", clean(text)))
        }
        DataFusionError::ObjectStore(error) => match error.to_string() {
            text if text.contains("not found") => message(ErrorKind::NotFound, &text),
            text => message(ErrorKind::Io, &text),
        },
        DataFusionError::Plan(text) | DataFusionError::Configuration(text) | DataFusionError::Execution(text) => {
            message(ErrorKind::Invalid, text)
        }
        error => message(ErrorKind::Invalid, &error.to_string()),
    }
}

fn of_arrow(error: &ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(source) => match source.downcast_ref::<Error>() {
            Some(ours) => Error::new(ours.kind(), ours.to_string()),
            None => Error::new(ErrorKind::Io, format!("the query failed: {source}")),
        },
        ArrowError::DivideByZero => Error::invalid("the query divides by zero"),
        error => Error::invalid(clean(&error.to_string())),
    }
}

/// A message without what only developers of DataFusion need.
fn clean(text: &str) -> String {
    const NOISE: [&str; 8] = [
        "DataFusion error: ",
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "External error: ",
        "Schema error: ",
        "This feature is not implemented: ",
        "Invalid argument error: ",
    ];
    let text = text.split("\n\nbacktrace:").next().unwrap_or(text);
    let text = text.split("This issue was likely caused by a bug").next().unwrap_or(text);
    let mut text = text.to_owned();
    for noise in NOISE {
        text = text.replace(noise, "");
    }
    text.trim_end_matches(['.', '\n', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn our_errors_come_through_whatever_wraps_them() {
        let ours = || outward(Error::corrupt("segment x: damaged"));
        let wrapped = [
            ours(),
            ours().context("while planning"),
            DataFusionError::Shared(Arc::new(ours())),
            DataFusionError::ArrowError(Box::new(ArrowError::ExternalError(Box::new(ours()))), None),
            DataFusionError::External(Box::new(ours())),
            DataFusionError::Collection(vec![ours(), ours()]),
        ];
        for error in wrapped {
            let error = inward(error);
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Corrupt, "segment x: damaged".to_owned()));
        }
    }

    #[test]
    fn messages_lose_their_noise() {
        let error = inward(DataFusionError::Plan("Error during planning: no such thing.".to_owned()).context("outer"));
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Invalid, "no such thing".to_owned()));
        let error = inward(DataFusionError::ResourcesExhausted("pool".to_owned()));
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(inward(DataFusionError::NotImplemented("x".to_owned())).kind(), ErrorKind::Unsupported);
        let zero = DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None);
        assert_eq!(inward(zero).to_string(), "the query divides by zero");
    }
}
