//! Delta's `schemaString` (PROTOCOL.md, "Schema Serialization Format"), which is only for other readers. Each column has
//! `stele.id` (the column id), `stele.type` (the SQL type, whole also where it is nested) and, if it has one,
//! `stele.default` in its metadata.

use serde::Serialize;

use crate::delta::wire::to_json;
use crate::schema::{DataType, TableSchema};

#[derive(Serialize)]
struct StructWire<'a, M> {
    #[serde(rename = "type")]
    kind: &'static str,
    fields: Vec<FieldWire<'a, M>>,
}

#[derive(Serialize)]
struct FieldWire<'a, M> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: TypeWire<'a>,
    nullable: bool,
    metadata: M,
}

#[derive(Serialize)]
struct ColumnMetadata<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    comment: &'a str,
    #[serde(rename = "stele.id")]
    id: u32,
    #[serde(rename = "stele.type")]
    sql_type: String,
    #[serde(rename = "stele.default", skip_serializing_if = "Option::is_none")]
    default: Option<String>,
}

#[derive(Serialize)]
struct NoMetadata {}

#[derive(Serialize)]
#[serde(untagged)]
enum TypeWire<'a> {
    Name(String),
    Array(ArrayWire<'a>),
    Map(MapWire<'a>),
    Struct(StructWire<'a, NoMetadata>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArrayWire<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    element_type: Box<TypeWire<'a>>,
    contains_null: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MapWire<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    key_type: Box<TypeWire<'a>>,
    value_type: Box<TypeWire<'a>>,
    value_contains_null: bool,
}

/// The schema as Delta has it.
pub(super) fn schema_string(schema: &TableSchema) -> String {
    let fields = schema.columns.iter().map(|column| FieldWire {
        name: column.name.as_str(),
        kind: type_of(&column.data_type),
        nullable: column.nullable,
        metadata: ColumnMetadata {
            comment: &column.comment,
            id: column.id.get(),
            sql_type: column.data_type.to_string(),
            default: column.default.as_ref().map(ToString::to_string),
        },
    });
    to_json(&StructWire { kind: "struct", fields: fields.collect() })
}

fn type_of(data_type: &DataType) -> TypeWire<'_> {
    match data_type {
        DataType::Array(element) => {
            TypeWire::Array(ArrayWire { kind: "array", element_type: Box::new(type_of(element)), contains_null: true })
        }
        DataType::Map { key, value } => TypeWire::Map(MapWire {
            kind: "map",
            key_type: Box::new(type_of(key)),
            value_type: Box::new(type_of(value)),
            value_contains_null: true,
        }),
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| FieldWire {
                name: field.name.as_str(),
                kind: type_of(&field.data_type),
                nullable: true,
                metadata: NoMetadata {},
            });
            TypeWire::Struct(StructWire { kind: "struct", fields: fields.collect() })
        }
        // Types without parts have a name.
        scalar => TypeWire::Name(scalar.delta_name().unwrap_or_default()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::schema::{ColumnDefault, ColumnSpec, DataType, TableSpec, Value};

    #[test]
    fn nested_types_are_spelled_as_delta_does() {
        let counted = ColumnSpec::new("n", DataType::Int).default(ColumnDefault::Value(Value::Int(-1)));
        let data_type = "STRUCT<tags ARRAY<VARCHAR(5)>, counts MAP<DATE,DECIMAL(5,2)>>".parse().unwrap();
        let schema = TableSpec::new().nullable_column("s", data_type).add_column(counted).build("t").unwrap().0;
        let expected = concat!(
            r#"{"type":"struct","fields":[{"name":"s","type":{"type":"struct","fields":["#,
            r#"{"name":"tags","type":{"type":"array","elementType":"string","containsNull":true},"nullable":true,"#,
            r#""metadata":{}},{"name":"counts","type":{"type":"map","keyType":"date","valueType":"decimal(5,2)","#,
            r#""valueContainsNull":true},"nullable":true,"metadata":{}}]},"nullable":true,"metadata":{"stele.id":1,"#,
            r#""stele.type":"STRUCT<tags ARRAY<VARCHAR(5)>, counts MAP<DATE,DECIMAL(5,2)>>"}},"#,
            r#"{"name":"n","type":"integer","nullable":false,"metadata":{"stele.id":2,"stele.type":"INT","#,
            r#""stele.default":"-1"}}]}"#,
        );
        assert_eq!(super::schema_string(&schema), expected);
    }
}
