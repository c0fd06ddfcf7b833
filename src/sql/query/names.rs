//! The names of the columns of a result.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr};

/// The names that a client shows for the columns of a query: aliases, names of columns as they are written, and the text of
/// other expressions. `None` where a `*` stands for names that only the planning knows.
pub(super) fn named_like(query: &Query) -> Option<Vec<String>> {
    let mut body = &query.body;
    let select = loop {
        match &**body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(query) => body = &query.body,
            SetExpr::SetOperation { left, .. } => body = left,
            _ => return None,
        }
    };
    select.projection.iter().map(shown).collect()
}

/// The name of one column.
fn shown(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(|name| name.value.clone()),
        SelectItem::UnnamedExpr(expr) => Some(expr.to_string()),
        _ => None,
    }
}

/// Gives the columns of a query names that differ: those that have one in their own right keep it.
pub(super) fn with_unique_names(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            let items = &mut select.projection;
            let has_all =
                items.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
            let mut seen = BTreeSet::new();
            for (position, item) in items.iter_mut().enumerate() {
                let (own, may_be_in_all) = match item {
                    SelectItem::ExprWithAlias { alias, .. } => (Some(alias.value.clone()), false),
                    SelectItem::UnnamedExpr(Expr::Identifier(_) | Expr::CompoundIdentifier(_)) => {
                        (shown(item), has_all)
                    }
                    _ => (None, false),
                };
                if own.is_some_and(|name| seen.insert(name)) && !may_be_in_all {
                    continue;
                }
                let name = shown(item).unwrap_or_default();
                let expr = match item {
                    SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) => expr.clone(),
                    _ => continue,
                };
                let alias = Ident::with_quote('`', format!("{name}:{}", position + 1));
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
        }
        SetExpr::Query(query) => with_unique_names(&mut query.body),
        SetExpr::SetOperation { left, right, .. } => {
            with_unique_names(left);
            with_unique_names(right);
        }
        _ => {}
    }
}
