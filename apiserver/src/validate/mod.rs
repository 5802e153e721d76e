//! What an object must be to be stored: its schema, metadata rules, and CEL rules, in Kubernetes' wording.

mod cel;
mod format;
pub(crate) mod metadata;
mod prune;
mod schema;
mod structural;

use serde_json::Value;

pub(crate) use schema::Schema;

use crate::status::Cause;

/// After these a rule could meet values of types or sizes that it was not written for.
fn is_blocking(cause: &Cause) -> bool {
    matches!(
        cause.reason,
        "FieldValueNotSupported"
            | "FieldValueRequired"
            | "FieldValueTooLong"
            | "FieldValueTooMany"
            | "FieldValueTypeInvalid"
    )
}

/// A compiled schema: structure and CEL rules.
#[derive(Debug)]
pub(crate) struct Validator {
    schema: Schema,
    rules: Option<cel::Rules>,
}

impl Validator {
    /// Compiles an OpenAPI v3 schema.
    ///
    /// # Errors
    /// Names the rule or pattern that does not compile.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        Ok(Self { schema: Schema::parse(schema)?, rules: cel::Rules::compile(schema)? })
    }

    /// Accepts and keeps anything.
    pub(crate) fn permissive() -> Self {
        Self { schema: Schema { preserve_unknown: true, ..Schema::default() }, rules: None }
    }

    /// Removes unknown fields and undeclared nulls from a custom resource; the paths of what was unknown come back.
    pub(crate) fn prune(&self, object: &mut Value) -> Vec<String> {
        let mut unknown = Vec::new();
        prune::prune_root(&self.schema, object, &mut unknown);
        unknown
    }

    /// Fills in the schema's defaults.
    pub(crate) fn default(&self, object: &mut Value) {
        prune::default(&self.schema, object);
    }

    /// The first value of a wrong JSON type, in the words of Go's decoder; built-in kinds are decoded, not validated.
    pub(crate) fn mistyped(&self, kind: &str, object: &Value) -> Option<String> {
        structural::mistyped(&self.schema, kind, object)
    }

    /// Adds what is wrong with a custom resource to `causes`: structure first, then, unless that
    /// makes no sense any more, the CEL rules.
    pub(crate) fn check(&self, object: &Value, old: Option<&Value>, causes: Vec<Cause>) -> Vec<Cause> {
        let mut causes = causes;
        structural::check(&self.schema, object, "", &mut causes);
        match &self.rules {
            None => {}
            Some(_) if causes.iter().any(is_blocking) => causes.push(Cause::invalid(
                "<nil>",
                &Value::Null,
                "some validation rules were not checked because the object was invalid; \
                 correct the existing errors to complete validation",
            )),
            Some(rules) => causes.extend(rules.check(object, old)),
        }
        causes
    }
}
