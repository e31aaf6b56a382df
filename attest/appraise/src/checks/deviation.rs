// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The objection that most checks share: a claim is not what its rule lists.

use core::{fmt, marker::PhantomData};

use crate::{
    finding::{Layer, Objection, Severity},
    vector::TrustVector,
};

/// What a check is about.
pub trait Subject: Sized {
    /// The stable identifier of its findings.
    const CODE: &'static str;
    /// The layer, where the evidence does not decide it.
    const LAYER: Layer;
    /// Its name, as a sentence begins with it.
    const NAME: &'static str;
    /// The rule of the policy that says what is accepted.
    const RULE: &'static str;
    /// What a failure does to the trust vector.
    const EFFECT: TrustVector;

    /// Says what is the matter.
    fn sentence(deviation: &Deviation<Self>) -> String {
        let Deviation { name, expected, actual, .. } = deviation;
        match (actual, deviation.accepted) {
            (None, _) => format!("{name} is something that the policy asks for, and the evidence does not tell."),
            (Some(actual), 1) => format!("{name} changed: it was {expected}, it is {actual}."),
            (Some(actual), _) => format!("{name} is {actual}, which the policy does not accept."),
        }
    }

    /// Says what could be done about it.
    fn suggestion(deviation: &Deviation<Self>) -> String {
        match &deviation.actual {
            Some(actual) => format!("If the change is yours, add \"{actual}\" to {}.", Self::RULE),
            None => format!("Ask the attester for it, or drop {}.", Self::RULE),
        }
    }
}

/// A claim is not what the policy accepts, or not told.
#[derive(Clone, PartialEq, Eq)]
pub struct Deviation<S> {
    name: String,
    layer: Layer,
    severity: Severity,
    /// How many values are accepted; one is what it "was".
    accepted: usize,
    expected: String,
    actual: Option<String>,
    subject: PhantomData<S>,
}

impl<S: Subject> Deviation<S> {
    /// Objects to `actual`, where `expected` is accepted.
    pub(crate) fn new(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { actual: Some(actual.into()), ..Self::missing(expected) }.weighing(Severity::Failure)
    }

    /// Objects that the evidence does not tell.
    pub(crate) fn missing(expected: impl Into<String>) -> Self {
        Self {
            name: S::NAME.into(),
            layer: S::LAYER,
            severity: Severity::Missing,
            accepted: 0,
            expected: expected.into(),
            actual: None,
            subject: PhantomData,
        }
    }

    /// Objects if `actual` is not listed; an empty list accepts anything.
    pub(crate) fn unlisted<T: PartialEq + fmt::Display>(accepted: &[T], actual: &T) -> Option<Self> {
        if accepted.is_empty() || accepted.contains(actual) {
            return None;
        }
        let objection = Self::new(super::show_list(accepted), actual.to_string());
        Some(Self { accepted: accepted.len(), ..objection })
    }

    /// The same for a claim that the evidence may not have.
    pub(crate) fn unlisted_or_missing<T: PartialEq + fmt::Display>(accepted: &[T], actual: Option<&T>) -> Option<Self> {
        match actual {
            Some(actual) => Self::unlisted(accepted, actual),
            None if accepted.is_empty() => None,
            None => Some(Self::missing(super::show_list(accepted))),
        }
    }

    /// Objects if `actual` is below `floor`.
    pub(crate) fn below<T: PartialOrd + fmt::Display>(floor: T, actual: T) -> Option<Self> {
        (actual < floor).then(|| Self::new(format!("at least {floor}"), actual.to_string()))
    }

    /// Says whether the evidence tells anything.
    pub(crate) const fn has_actual(&self) -> bool {
        self.actual.is_some()
    }

    /// Gives the subject a name of its own.
    pub(crate) fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// Gives the objection another weight.
    pub(crate) fn weighing(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// Puts the objection to another layer, where one check serves several.
    pub(crate) fn at(self, layer: Layer) -> Self {
        Self { layer, ..self }
    }
}

impl<S> fmt::Debug for Deviation<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, layer, severity, accepted: _, expected, actual, subject: _ } = self;
        let mut shown = f.debug_struct("Deviation");
        shown.field("name", name).field("layer", layer).field("severity", severity);
        shown.field("expected", expected).field("actual", actual).finish()
    }
}

impl<S: Subject> Objection for Deviation<S> {
    const CODE: &'static str = S::CODE;

    fn layer(&self) -> Layer {
        self.layer
    }
    fn severity(&self) -> Severity {
        self.severity
    }
    fn expected(&self) -> String {
        self.expected.clone()
    }
    fn actual(&self) -> String {
        self.actual.clone().unwrap_or_else(|| "not told".into())
    }
    fn sentence(&self) -> String {
        S::sentence(self)
    }
    fn suggestion(&self) -> String {
        S::suggestion(self)
    }
    fn effect(&self) -> TrustVector {
        if self.severity == Severity::Failure { S::EFFECT } else { TrustVector::NONE }
    }
}
