//! Functions of StarRocks and MySQL that DataFusion lacks, or has not in this build. Not here: those that are written as
//! others (`rules`), and those of a session (`rewrite`).

mod date_text;
mod operators;
mod time;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions::math;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

pub(super) use operators::Operators;

/// A function of whole columns, which gives the same for the same arguments.
struct ColumnFunction {
    name: &'static str,
    signature: Signature,
    /// The types that arguments are turned into.
    takes: fn(&[ArrowType]) -> Option<Vec<ArrowType>>,
    /// The type for arguments of these types.
    returns: fn(&[ArrowType]) -> ArrowType,
    run: fn(&[ArrayRef]) -> Result<ArrayRef>,
}

/// All of them.
pub(super) fn all() -> Vec<Arc<ScalarUDF>> {
    let functions = date_text::functions().into_iter().chain(time::functions());
    let functions = functions.map(|function| Arc::new(ScalarUDF::new_from_impl(function)));
    functions.chain(other_names()).collect()
}

/// Functions of DataFusion that MySQL calls otherwise.
fn other_names() -> [Arc<ScalarUDF>; 2] {
    let named = |function: Arc<ScalarUDF>, name: &'static str| Arc::new(function.as_ref().clone().with_aliases([name]));
    [named(math::signum(), "sign"), named(math::trunc(), "truncate")]
}

impl ColumnFunction {
    fn new(
        name: &'static str,
        takes: fn(&[ArrowType]) -> Option<Vec<ArrowType>>,
        returns: fn(&[ArrowType]) -> ArrowType,
        run: fn(&[ArrayRef]) -> Result<ArrayRef>,
    ) -> ColumnFunction {
        ColumnFunction { name, signature: Signature::user_defined(Volatility::Immutable), takes, returns, run }
    }
}

impl std::fmt::Debug for ColumnFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for ColumnFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ColumnFunction {}

impl Hash for ColumnFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for ColumnFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[ArrowType]) -> Result<ArrowType> {
        Ok((self.returns)(arg_types))
    }

    fn coerce_types(&self, arg_types: &[ArrowType]) -> Result<Vec<ArrowType>> {
        let shown = || arg_types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        (self.takes)(arg_types).ok_or_else(|| {
            datafusion::error::DataFusionError::Plan(format!("function {} does not take ({})", self.name, shown()))
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let arrays = args.args.into_iter().map(|argument| argument.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let result = (self.run)(&arrays)?;
        match is_constant {
            true => ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar),
            false => Ok(ColumnarValue::Array(result)),
        }
    }
}
