// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Anchored patterns: `*` stands for any characters but `/`, `**` for any at all, everything else for itself.
//!
//! A pattern always has to match the whole text, so that `/tmp/**` excludes what lies below `/tmp` and not what has
//! `/tmp/` somewhere in its path.

use core::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An anchored pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    WithinOne,
    Anything,
}

impl Pattern {
    /// Says whether the whole of `text` matches.
    ///
    /// The work is bounded by the product of the two lengths: every place where a part may begin is followed at once.
    pub fn matches(&self, text: &str) -> bool {
        let mut places = vec![false; text.len().saturating_add(1)];
        if let Some(start) = places.first_mut() {
            *start = true;
        }
        for part in &self.parts {
            places = part.follow(text, &places);
        }
        places.last().copied().unwrap_or(false)
    }
}

impl Part {
    /// Returns where this part may end if it begins at one of the places.
    fn follow(&self, text: &str, places: &[bool]) -> Vec<bool> {
        match self {
            Self::Literal(literal) => {
                let begins = |end: usize| {
                    let start = end.checked_sub(literal.len())?;
                    let here = text.as_bytes().get(start..end)?;
                    (here == literal.as_bytes()).then(|| places.get(start).copied())?
                };
                (0..places.len()).map(|end| begins(end).unwrap_or(false)).collect()
            }
            Self::WithinOne => spread(text, places, |byte| byte != b'/'),
            Self::Anything => spread(text, places, |_| true),
        }
    }
}

/// Goes on from every place over the bytes that a star stands for; UTF-8 needs no care, since both ends of a match are
/// ends of the text or of literals.
fn spread(text: &str, places: &[bool], passes: impl Fn(u8) -> bool) -> Vec<bool> {
    let before = core::iter::once(None).chain(text.bytes().map(Some));
    let mut open = false;
    before
        .zip(places)
        .map(|(byte, place)| {
            open = *place || (open && byte.is_some_and(&passes));
            open
        })
        .collect()
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("**") {
                parts.push(Part::Anything);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('*') {
                parts.push(Part::WithinOne);
                rest = after;
            } else {
                let (literal, after) = rest.split_at(rest.find('*').unwrap_or(rest.len()));
                parts.push(Part::Literal(literal.to_owned()));
                rest = after;
            }
        }
        if parts.is_empty() {
            return Err("a pattern must not be empty".into());
        }
        if !parts.iter().any(|part| matches!(part, Part::Literal(_))) {
            return Err(format!("\"{text}\" matches everything"));
        }
        Ok(Self { text: text.to_owned(), parts })
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(text)
    }

    #[test]
    fn a_pattern_is_anchored_at_both_ends() {
        assert!(matches("/tmp/**", "/tmp/a/b"));
        assert!(!matches("/tmp/**", "/home/tmp/a"));
        assert!(!matches("/tmp", "/tmp/a"));
        assert!(!matches("/tmp/a", "/x/tmp/a"));
    }

    #[test]
    fn one_star_stays_within_a_directory() {
        assert!(matches("/run/*.pid", "/run/sshd.pid"));
        assert!(!matches("/run/*.pid", "/run/x/sshd.pid"));
        assert!(matches("/run/**.pid", "/run/x/sshd.pid"));
    }

    #[test]
    fn other_characters_stand_for_themselves() {
        assert!(matches("/a.c", "/a.c"));
        assert!(!matches("/a.c", "/abc"));
        assert!(matches("root=/dev/sd? (x|y)", "root=/dev/sd? (x|y)"));
        assert!(matches("ä*ü", "äöü"));
    }

    #[test]
    fn a_hostile_text_costs_no_more_than_any_other() {
        let pattern = "/**a".repeat(20);
        assert!(!matches(&pattern, &format!("{}b", "/a".repeat(2000))));
        assert!(matches(&pattern, &"/a".repeat(2000)));
    }

    #[test]
    fn a_pattern_that_matches_everything_is_refused() {
        for pattern in ["", "*", "**", "***"] {
            assert!(pattern.parse::<Pattern>().is_err(), "{pattern}");
        }
    }
}
