// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The OpenAPI 3.1 document, made of the table of operations and of the types that are really sent.

use axum::Json;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::routes::{Operation, operations};

/// `GET /v1/openapi.json`
pub(super) async fn show() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    let settings = SchemaSettings::openapi3().with(|settings| {
        settings.meta_schema = Some("https://json-schema.org/draft/2020-12/schema".into());
    });
    let mut schemas = settings.into_generator();
    let error = schemas.subschema_for::<evtpm_api::ApiError>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations() {
        let request = operation.request.map(|shape| shape(&mut schemas));
        let answer = operation.answer.map(|shape| shape(&mut schemas));
        let path = format!("{}{}", evtpm_api::PREFIX, operation.path);
        let entry = paths.entry(path).or_insert_with(|| json!({}));
        if let Value::Object(methods) = entry {
            methods.insert(operation.method.to_owned(), describe(&operation, request, answer, &error));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "evtpm verifier", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
                "certificate": { "type": "mutualTLS" },
            },
        },
    })
}

fn describe(operation: &Operation, request: Option<Value>, answer: Option<Value>, error: &Value) -> Value {
    let content = |schema: &Value| json!({ "application/json": { "schema": schema } });
    let mut responses = json!({ "default": { "description": "Refused.", "content": content(error) } });
    let makes_something = operation.method == "post" && !operation.path.starts_with("/policies");
    let status = if makes_something {
        "201"
    } else if answer.is_some() {
        "200"
    } else {
        "204"
    };
    responses[status] = json!({ "description": "Done." });
    if let Some(answer) = answer {
        let kind = if operation.path == "/events" { "text/event-stream" } else { "application/json" };
        responses[status]["content"] = json!({ kind: { "schema": answer } });
    }
    let in_path = operation
        .path
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let in_query =
        operation.query.iter().map(|(name, kind)| json!({ "name": name, "in": "query", "schema": { "type": kind } }));
    let mut described = json!({
        "summary": operation.summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": responses,
    });
    if let Some(role) = operation.role {
        described["description"] = Value::String(format!("Needs the role `{}`.", role.name()));
        described["security"] = json!([{ "token": [] }, { "certificate": [] }]);
    }
    if let Some(request) = request {
        described["requestBody"] = json!({ "required": true, "content": content(&request) });
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_that_is_referred_to_is_there() {
        let document = document();
        let text = document.to_string();
        let references = text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        let mut count = 0;
        for name in references {
            assert!(document["components"]["schemas"][name].is_object(), "{name}");
            count += 1;
        }
        assert!(count > 10, "{count} references");
    }

    #[test]
    fn every_operation_says_what_it_does_and_who_may() {
        for operation in operations() {
            let described = &document()["paths"][format!("/v1{}", operation.path)][operation.method];
            assert!(described["summary"].as_str().is_some_and(|text| text.ends_with('.')), "{}", operation.path);
            assert_eq!(described["security"].is_array(), operation.role.is_some(), "{}", operation.path);
        }
    }
}
