// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What no section has a rule for, as a module in Rego (Open Policy Agent, "Policy Language", version 1), evaluated by `regorus`.
//!
//! A module can only refuse: it judges beside the other sections and never instead of them. It sees the verified claims and
//! nothing else, has no clock, no randomness and no network, and ends after a number of steps, not of seconds: the same module
//! over the same claims comes to the same anywhere.

mod steps;

use core::fmt::Display;

use regorus::{Engine, Value};
use serde::{Deserialize, Serialize};

use super::{Policy, PolicyError};
use crate::{
    checks::{RegoAllow, RegoDenied},
    claims::Claims,
    finding::{Finding, Layer, Severity},
};

/// The package that a module has to be.
const PACKAGE: &str = "data.evtpm";
/// The largest module.
const MAX_BYTES: usize = 256 * 1024;
/// The most reasons that are told one by one.
const MAX_REASONS: usize = 100;

/// Rules in Rego.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegoPolicy {
    /// The module: package `evtpm`, with a rule `deny`, a rule `allow`, or both.
    pub module: RegoModule,
}

/// A module that compiles and has a rule that can object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegoModule {
    text: String,
    denies: bool,
    allows: bool,
}

impl RegoModule {
    /// Reads a module. One without a rule that can object would let everything pass, and is refused.
    pub fn new(text: String) -> Result<Self, PolicyError> {
        if text.len() > MAX_BYTES {
            return Err(flaw(format!("larger than {MAX_BYTES} bytes")));
        }
        let mut module = Self { text, denies: true, allows: true };
        let mut engine = module.engine()?;
        // Over no claims at all every rule is compiled, and what is undefined stays so.
        engine.set_input(Value::new_object());
        module.denies = exists(engine.eval_rule(format!("{PACKAGE}.deny")))?;
        module.allows = exists(engine.eval_rule(format!("{PACKAGE}.allow")))?;
        if !module.denies && !module.allows {
            return Err(flaw("there is no rule `deny` and no rule `allow`, so that everything would pass"));
        }
        Ok(module)
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Tells whether there is a rule `allow`, which then has to be true.
    pub(crate) const fn has_allow(&self) -> bool {
        self.allows
    }

    /// Tells whether there is a rule `deny`, whose reasons are held against the machine.
    pub(crate) const fn has_deny(&self) -> bool {
        self.denies
    }

    fn engine(&self) -> Result<Engine, PolicyError> {
        let mut engine = Engine::new();
        if !steps::limit(&mut engine) {
            return Err(flaw(
                "its steps cannot be counted: another part of this program set the interpreter's time source",
            ));
        }
        // A built-in function that fails would leave its rule undefined, and an objection unsaid.
        engine.set_strict_builtin_errors(true);
        // What `print` prints is for nobody.
        engine.set_gather_prints(true);
        let package =
            engine.add_policy("policy.rego".into(), self.text.clone()).map_err(|error| flaw(shown(&error)))?;
        if package != PACKAGE {
            return Err(flaw(format!("its package is {}, expected evtpm", package.trim_start_matches("data."))));
        }
        Ok(engine)
    }

    /// Evaluates the module over claims.
    fn judge(&self, claims: &Claims, layer: Layer) -> Result<Vec<Finding>, PolicyError> {
        let mut engine = self.engine()?;
        let input = Value::from_json_str(&claims.to_json().to_string()).map_err(|error| flaw(shown(&error)))?;
        engine.set_input(input);
        let mut eval = |rule| engine.eval_rule(format!("{PACKAGE}.{rule}")).map_err(|error| flaw(shown(&error)));
        let mut findings = Vec::new();
        if self.allows && eval("allow")? != Value::from(true) {
            findings.push(RegoAllow { layer }.into());
        }
        if self.denies {
            findings.extend(reasons(&eval("deny")?, layer)?);
        }
        Ok(findings)
    }
}

impl TryFrom<String> for RegoModule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(text).map_err(|error| error.detail)
    }
}

impl From<RegoModule> for String {
    fn from(module: RegoModule) -> Self {
        module.text
    }
}

/// A reason of `deny`: a sentence, or an object with more to say.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reason {
    Sentence(String),
    Object(Objection),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Objection {
    message: String,
    layer: Option<Layer>,
    severity: Option<Severity>,
    expected: Option<String>,
    actual: Option<String>,
    suggestion: Option<String>,
}

fn reasons(denied: &Value, layer: Layer) -> Result<Vec<Finding>, PolicyError> {
    let shape = || {
        flaw(
            "`deny` is no set or array of sentences, or of objects with `message` and perhaps `layer`, `severity`, \
             `expected`, `actual`, `suggestion`",
        )
    };
    let reasons: Vec<Reason> = match denied {
        Value::Undefined => return Ok(Vec::new()),
        Value::Set(_) | Value::Array(_) => {
            let json = denied.to_json_str().map_err(|error| flaw(shown(&error)))?;
            serde_json::from_str(&json).map_err(|_| shape())?
        }
        _ => return Err(shape()),
    };
    let total = reasons.len();
    let mut findings: Vec<Finding> = reasons
        .into_iter()
        // The gravest first, so that none is hidden behind notices.
        .map(|reason| denial(reason, layer))
        .collect();
    findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity()));
    findings.truncate(MAX_REASONS);
    if let Some(more) = total.checked_sub(MAX_REASONS).filter(|more| *more > 0) {
        let sentence = format!("The policy's module names {more} more reasons.");
        findings.push(denial(Reason::Sentence(sentence), layer));
    }
    Ok(findings)
}

fn denial(reason: Reason, layer: Layer) -> Finding {
    let Objection { message, layer: named, severity, expected, actual, suggestion } = match reason {
        Reason::Object(objection) => objection,
        Reason::Sentence(message) => {
            Objection { message, layer: None, severity: None, expected: None, actual: None, suggestion: None }
        }
    };
    RegoDenied {
        message,
        layer: named.unwrap_or(layer),
        severity: severity.unwrap_or(Severity::Failure),
        expected,
        actual,
        suggestion,
    }
    .into()
}

/// Tells whether the module has a rule; whatever else is wrong with the rule is a flaw of the module.
fn exists(evaluated: Result<Value, impl Display>) -> Result<bool, PolicyError> {
    match evaluated {
        Ok(_) => Ok(true),
        Err(error) if error.to_string() == "not a valid rule path" => Ok(false),
        Err(error) => Err(flaw(shown(&error))),
    }
}

/// What the engine says is a place, a line and a caret below each other.
fn shown(error: &impl Display) -> String {
    error.to_string().trim().to_owned()
}

fn flaw(detail: impl Into<String>) -> PolicyError {
    PolicyError { detail: format!("its Rego module: {}", detail.into()) }
}

impl Policy {
    /// Evaluates the Rego module, if there is one.
    pub(crate) fn judge_by_rego(&self, claims: &Claims) -> Result<Vec<Finding>, PolicyError> {
        match &self.rego {
            Some(_) if claims.boot_stands => {
                Err(flaw("it judges whole logs, and was given what they grew by since an earlier quote"))
            }
            Some(rego) => rego.module.judge(claims, self.first_layer()),
            None => Ok(Vec::new()),
        }
    }

    /// The layer that an objection is about which names none: the one at the bottom.
    const fn first_layer(&self) -> Layer {
        match self {
            Self { snp: Some(_), .. } => Layer::Snp,
            Self { tdx: Some(_), .. } => Layer::Tdx,
            Self { sgx: Some(_), .. } => Layer::Sgx,
            Self { nitro: Some(_), .. } => Layer::Nitro,
            Self { cca: Some(_), .. } => Layer::CcaRealm,
            Self { psa: Some(_), .. } => Layer::Psa,
            Self { nvidia: Some(_), .. } => Layer::Nvidia,
            Self { s390: Some(_), .. } => Layer::S390,
            Self { csv: Some(_), .. } => Layer::Csv,
            _ => Layer::Tpm,
        }
    }
}

#[cfg(test)]
mod tests;
