//! From a parsed query to a logical plan of DataFusion.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef, SchemaRef, TimeUnit};
use datafusion::catalog::TableFunctionArgs;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, TableReference};
use datafusion::datasource::{cte_worktable::CteWorkTable, provider_as_source};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
    TypePlanner,
};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, Statement as SqlStatement, TableFactor};

use crate::error::{Error, Result};
use crate::sql::ast::Query;
use crate::sql::query::doubles::with_doubles;
use crate::sql::query::failure::{inward, outward};
use crate::sql::query::files;
use crate::sql::query::moment::{is_ours, parts_of};
use crate::sql::query::resolve::Resolver;
use crate::sql::query::rewrite::rewrite;

/// Plans a query; not yet optimized.
pub(super) fn plan_query(resolver: &Arc<Resolver>, mut query: Query) -> Result<LogicalPlan> {
    rewrite(resolver, &mut query)?;
    let relations: Vec<Arc<dyn RelationPlanner>> = vec![Arc::new(Relations(resolver.clone()))];
    let names = Names { resolver: resolver.clone(), relations };
    let options = ParserOptions::from(&resolver.statement.state.config_options().sql_parser);
    let planner = SqlToRel::new_with_options(&names, options);
    planner.sql_statement_to_plan(SqlStatement::Query(query)).and_then(with_doubles).map_err(inward)
}

/// What DataFusion asks for while it plans.
struct Names {
    resolver: Arc<Resolver>,
    relations: Vec<Arc<dyn RelationPlanner>>,
}

impl ContextProvider for Names {
    fn get_table_source(&self, name: TableReference) -> DataFusionResult<Arc<dyn TableSource>> {
        if let Some(catalog) = name.catalog().filter(|catalog| !is_ours(catalog)) {
            let error = format!("there is no catalog {catalog:?}: write database.table");
            return Err(outward(Error::not_found(error)));
        }
        self.resolver.source((name.schema(), name.table()), &[], None).map_err(outward)
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> DataFusionResult<Arc<dyn TableSource>> {
        let state = &self.resolver.statement.state;
        let Some(function) = state.table_functions().get(&name.to_lowercase()) else {
            return Err(outward(Error::not_found(format!("there is no table function {name:?}"))));
        };
        let context = SimplifyContext::builder().with_config_options(state.config_options().clone()).build();
        let (simplifier, schema) = (ExprSimplifier::new(context), DFSchema::empty());
        let constant = |arg| simplifier.coerce(arg, &schema).and_then(|arg| simplifier.simplify(arg));
        let args = args.into_iter().map(constant).collect::<DataFusionResult<Vec<_>>>()?;
        function.create_table_provider_with_args(TableFunctionArgs::new(&args, state)).map(provider_as_source)
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> DataFusionResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.resolver.statement.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(Types))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.resolver.statement.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.resolver.statement.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.resolver.statement.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.resolver.statement.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _variable_names: &[String]) -> Option<ArrowType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.resolver.statement.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.resolver.statement.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.resolver.statement.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.resolver.statement.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.resolver.statement.state.window_functions().keys().cloned().collect()
    }
}

/// Table factors that only this store has: partitions, versions, and FILES.
struct Relations(Arc<Resolver>);

impl std::fmt::Debug for Relations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relations")
    }
}

impl RelationPlanner for Relations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> DataFusionResult<RelationPlanning> {
        let TableFactor::Table { name, alias, args, version, partitions, .. } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let (reference, source) = match args {
            Some(args) if files::is_files(name) => {
                let source = files::source(&self.0, args).map_err(outward)?;
                (TableReference::bare("files"), source)
            }
            None if version.is_some() || !partitions.is_empty() => {
                let Some(parts) = parts_of(name) else { return Ok(RelationPlanning::Original(Box::new(relation))) };
                let source = self.0.source(parts, partitions, version.as_ref()).map_err(outward)?;
                (context.object_name_to_table_reference(name.clone())?, source)
            }
            _ => return Ok(RelationPlanning::Original(Box::new(relation))),
        };
        let plan = LogicalPlanBuilder::scan(reference, source, None)?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

/// Types of CAST as this store has them.
#[derive(Debug)]
struct Types;

impl TypePlanner for Types {
    fn plan_type_field(&self, sql_type: &SqlType) -> DataFusionResult<Option<FieldRef>> {
        let arrow = match sql_type {
            SqlType::Datetime(_) | SqlType::Timestamp(_, _) => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            SqlType::Signed | SqlType::SignedInteger => ArrowType::Int64,
            SqlType::Unsigned | SqlType::UnsignedInteger => ArrowType::UInt64,
            SqlType::Char(_) | SqlType::Varchar(_) | SqlType::String(_) | SqlType::Text | SqlType::JSON => {
                ArrowType::Utf8
            }
            SqlType::Binary(_) | SqlType::Varbinary(_) => ArrowType::Binary,
            SqlType::Decimal(ExactNumberInfo::None) | SqlType::Numeric(ExactNumberInfo::None) => {
                ArrowType::Decimal128(10, 0)
            }
            SqlType::Custom(name, _) if name.to_string().eq_ignore_ascii_case("LARGEINT") => {
                ArrowType::Decimal128(38, 0)
            }
            _ => return Ok(None),
        };
        Ok(Some(Arc::new(Field::new("", arrow, true))))
    }
}
