// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A result for people and for machines.

use std::io::Write;

use anyhow::Result;
use evtpm_appraise::{Tier, TrustClaim, Verdict};
use evtpm_result::{Ear, Error, Format, Submodule, Token};
use evtpm_verify::UnixTime;
use serde_json::json;

use crate::explanation;
use crate::output::{Palette, Style, printable};

/// A result and what is known of its signature.
pub(super) struct Shown<'a> {
    pub(super) token: &'a Token,
    pub(super) ear: &'a Ear,
    pub(super) checked: bool,
}

impl Shown<'_> {
    pub(super) fn print(&self, json: bool) -> Result<()> {
        let mut out = std::io::stdout().lock();
        let Self { token, ear, checked } = self;
        let format = match token.format {
            Format::Jwt => "JWT",
            Format::Cwt => "CWT",
        };
        if json {
            let value = json!({
                "format": format,
                "algorithm": token.algorithm,
                "key_id": token.key_id,
                "checked": checked,
                "claims": ear,
            });
            writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
            return Ok(());
        }
        let palette = Palette::of_stdout();
        let state = if *checked { "genuine" } else { "not checked" };
        let title = format!("attestation result ({format}, {}, {state})", printable(&token.algorithm));
        writeln!(out, "{}", palette.paint(Style::Strong, &title))?;
        for (name, value) in self.fields() {
            writeln!(out, "  {name:<12} {}", printable(&value))?;
        }
        for (name, submodule) in &ear.submods {
            show_submodule(&mut out, palette, name, submodule)?;
        }
        let (word, style) = match ear.verdict {
            Some(verdict) => (verdict.name(), if verdict == Verdict::Trusted { Style::Good } else { Style::Bad }),
            None => (ear.status().name(), style(ear.status())),
        };
        writeln!(out, "\n{}", palette.paint(style, word))?;
        Ok(())
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let Ear { iat, exp, eat_nonce, verifier_id, root, identity, would_be, .. } = self.ear;
        let mut fields = vec![
            ("verifier", format!("{}, {}", verifier_id.developer, verifier_id.build)),
            ("issued", UnixTime(*iat).to_string()),
            ("expires", exp.map_or_else(|| "never".to_owned(), |exp| UnixTime(exp).to_string())),
        ];
        fields.extend(self.token.key_id.clone().map(|id| ("key", id)));
        fields.extend(eat_nonce.clone().map(|nonce| ("nonce", nonce)));
        fields.extend(root.as_ref().map(|root| ("root", json!(root).to_string())));
        fields.extend(identity.clone().map(|identity| ("identity", identity)));
        fields.extend(would_be.map(|verdict| ("would be", verdict.name().to_owned())));
        fields
    }
}

fn show_submodule(out: &mut impl Write, palette: Palette, name: &str, submodule: &Submodule) -> Result<()> {
    let (name, status) = (palette.paint(Style::Strong, &printable(name)), submodule.status);
    writeln!(out, "\n{name} {}", palette.paint(style(status), status.name()))?;
    let made = NAMES.iter().zip(submodule.vector.claims()).filter(|(_, claim)| *claim != TrustClaim::NONE);
    for (name, claim) in made {
        writeln!(out, "  {name:<18} {:>4} {}", claim.0, claim.tier().name())?;
    }
    if let Some(policy) = &submodule.policy_id {
        writeln!(out, "  {:<18} {}", "policy", printable(policy))?;
    }
    explanation::show(out, palette, &submodule.findings)?;
    Ok(())
}

/// The claims of a trust vector, in the draft's order.
const NAMES: [&str; 8] = [
    "instance identity",
    "configuration",
    "executables",
    "file system",
    "hardware",
    "runtime opaque",
    "storage opaque",
    "sourced data",
];

const fn style(tier: Tier) -> Style {
    match tier {
        Tier::Affirming => Style::Good,
        Tier::None | Tier::Warning => Style::Strong,
        Tier::Contraindicated => Style::Bad,
    }
}

/// Says why a token is not believed.
pub(super) fn refusal(error: &Error, json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        let value = json!({ "checked": false, "refused": error.to_string() });
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
    } else {
        let refused = Palette::of_stdout().paint(Style::Bad, "refused:");
        writeln!(out, "{refused} {}", printable(&error.to_string()))?;
    }
    Ok(())
}
