// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads a Rust file as tokens: which functions it has, how long they are, which lines are tests, which paths it names.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr as _;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// What the checks want to know about one file.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    pub(crate) functions: Vec<Function>,
    /// Lines inside `#[cfg(test)]` modules.
    test_lines: usize,
    /// Names of `#[cfg(test)] mod name;` declarations: their files are tests whatever they are called.
    test_modules: Vec<String>,
    /// Whether the whole file is for tests.
    pub(crate) is_test_file: bool,
    /// Tokens outside `#[cfg(test)]` modules, in order.
    production: Vec<String>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Line of the name, counted from 1.
    pub(crate) line: usize,
    /// Lines of the body that hold code: as clippy's `too_many_lines` counts, comments and blank lines are free.
    pub(crate) length: usize,
    pub(crate) kind: FunctionKind,
    /// The reason of an `expect(clippy::too_many_lines)` says that the function is a table.
    pub(crate) is_table: bool,
}

/// Where a function stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionKind {
    Production,
    /// Inside a `#[cfg(test)]` module, but no test itself.
    TestHelper,
    Test,
}

impl Source {
    /// Scans the text of a file.
    pub(crate) fn new(path: PathBuf, text: String) -> anyhow::Result<Self> {
        // A byte order mark or a `#!` line would be refused here, and neither belongs into our files.
        let tokens = TokenStream::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        let is_test_file = path.ends_with("tests.rs")
            || path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "testing" | "benches")));
        let (functions, test_modules, production) = (Vec::new(), Vec::new(), Vec::new());
        let mut source = Self { path, text, functions, test_lines: 0, test_modules, is_test_file, production };
        source.scan(tokens, false);
        Ok(source)
    }

    /// Lines of the file.
    pub(crate) fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// Where the files of its `#[cfg(test)] mod name;` declarations begin: without the extension.
    pub(crate) fn test_module_paths(&self) -> Vec<PathBuf> {
        let stem = self.path.file_stem().unwrap_or_default();
        let folder = match stem.to_str() {
            Some("lib" | "main" | "mod") => self.path.with_file_name(""),
            _ => self.path.with_extension(""),
        };
        self.test_modules.iter().map(|name| folder.join(name)).collect()
    }

    /// Lines outside `#[cfg(test)]` modules.
    pub(crate) fn production_lines(&self) -> usize {
        if self.is_test_file { 0 } else { self.lines().saturating_sub(self.test_lines) }
    }

    /// Whether production code names `path` (such as `std::fs`), directly or in a `use` group.
    pub(crate) fn names(&self, path: &str) -> bool {
        if self.is_test_file {
            return false;
        }
        let wanted: Vec<&str> = path.split("::").collect();
        (0..self.production.len()).any(|start| {
            let is_separator = |at: usize| self.production.get(at).is_some_and(|token| token == "::");
            // A crate's name alone is a path only before a separator: `extern crate std` is not yet a use of it.
            let is_path = wanted.len() > 1 || is_separator(start + 1);
            let continues = start > 1
                && is_separator(start - 1)
                && self.production.get(start - 2).is_some_and(|token| is_name(token));
            !continues && is_path && path_at(self.production.get(start..).unwrap_or_default(), &wanted)
        })
    }

    fn scan(&mut self, tokens: TokenStream, in_tests: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut attributes: Vec<String> = Vec::new();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = tokens.get(at)
                        && group.delimiter() == Delimiter::Bracket
                    {
                        attributes.push(group.stream().to_string());
                    }
                    self.record(token, in_tests);
                }
                TokenTree::Ident(ident) if *ident == "fn" => {
                    self.record(token, in_tests);
                    if let (Some(TokenTree::Ident(name)), Some(body)) = (tokens.get(at), body_after(&tokens, at)) {
                        self.functions.push(function(name, body, &attributes, in_tests));
                    }
                }
                TokenTree::Ident(ident) if *ident == "mod" && is_test_module(&attributes) => {
                    match (tokens.get(at), tokens.get(at + 1)) {
                        (_, Some(TokenTree::Group(body))) => {
                            self.test_lines += body.span().end().line + 1 - ident.span().start().line;
                            self.scan(body.stream(), true);
                            at += 2;
                        }
                        (Some(name), _) => self.test_modules.push(name.to_string()),
                        _ => {}
                    }
                    attributes.clear();
                }
                TokenTree::Group(group) => {
                    self.record_text(open(group), in_tests);
                    self.scan(group.stream(), in_tests);
                    self.record_text(close(group), in_tests);
                    if group.delimiter() == Delimiter::Brace {
                        attributes.clear();
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ';' => {
                    attributes.clear();
                    self.record(token, in_tests);
                }
                _ => self.record(token, in_tests),
            }
        }
    }

    fn record(&mut self, token: &TokenTree, in_tests: bool) {
        self.record_text(&token.to_string(), in_tests);
    }

    fn record_text(&mut self, token: &str, in_tests: bool) {
        if in_tests || token.is_empty() {
            return;
        }
        // proc-macro2 gives `::` as two puncts.
        match self.production.last_mut() {
            Some(last) if token == ":" && last == ":" => last.push(':'),
            _ => self.production.push(token.to_owned()),
        }
    }
}

/// Whether a separator after this token continues a path (`use ::std` begins one).
fn is_name(token: &str) -> bool {
    token != "use" && token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Whether `tokens` begin with `wanted`, one of whose steps may be inside a `use` group.
fn path_at(tokens: &[String], wanted: &[&str]) -> bool {
    let Some((first, rest)) = wanted.split_first() else { return true };
    match tokens {
        [name, ..] if name == first && rest.is_empty() => true,
        [name, separator, after @ ..] if name == first && separator == "::" => match after {
            [brace, group @ ..] if brace == "{" => group_items(group).any(|item| path_at(item, rest)),
            _ => path_at(after, rest),
        },
        _ => false,
    }
}

/// The items of a `use` group whose opening brace has been read.
fn group_items(tokens: &[String]) -> impl Iterator<Item = &[String]> {
    let mut depth = 1_usize;
    let mut starts = vec![0];
    for (index, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => starts.push(index + 1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    starts.into_iter().filter_map(|start| tokens.get(start..))
}

/// The body of a function whose name is at `at`, unless it ends in a semicolon.
fn body_after(tokens: &[TokenTree], at: usize) -> Option<&Group> {
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ';' => return None,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                // `Buf<{ N + 1 }>`: a constant argument, still in the signature.
                let is_argument = matches!(tokens.get(index + 1), Some(TokenTree::Punct(next)) if matches!(next.as_char(), '>' | ','));
                if !is_argument {
                    return Some(group);
                }
            }
            _ => {}
        }
    }
    None
}

fn function(name: &proc_macro2::Ident, body: &Group, attributes: &[String], in_tests: bool) -> Function {
    let mut lines = BTreeSet::new();
    code_lines(body.stream(), &mut lines);
    let is_test = attributes.iter().any(|attribute| attribute == "test" || attribute.ends_with(":: test"));
    let is_table = attributes.iter().any(|attribute| {
        attribute.starts_with("expect") && attribute.contains("too_many_lines") && attribute.contains("\"table")
    });
    let kind = match (is_test, in_tests) {
        (true, _) => FunctionKind::Test,
        (false, true) => FunctionKind::TestHelper,
        (false, false) => FunctionKind::Production,
    };
    Function { name: name.to_string(), line: name.span().start().line, length: lines.len(), kind, is_table }
}

/// Collects the lines that tokens touch.
fn code_lines(tokens: TokenStream, lines: &mut BTreeSet<usize>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                lines.insert(group.span_open().start().line);
                lines.insert(group.span_close().end().line);
                code_lines(group.stream(), lines);
            }
            other => lines.extend(other.span().start().line..=other.span().end().line),
        }
    }
}

fn is_test_module(attributes: &[String]) -> bool {
    attributes.iter().any(|attribute| attribute.replace(' ', "") == "cfg(test)")
}

fn open(group: &Group) -> &'static str {
    match group.delimiter() {
        Delimiter::Parenthesis => "(",
        Delimiter::Brace => "{",
        Delimiter::Bracket => "[",
        Delimiter::None => "",
    }
}

fn close(group: &Group) -> &'static str {
    match group.delimiter() {
        Delimiter::Parenthesis => ")",
        Delimiter::Brace => "}",
        Delimiter::Bracket => "]",
        Delimiter::None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Source {
        Source::new(PathBuf::from("crate/src/lib.rs"), text.to_owned()).unwrap()
    }

    fn lengths(text: &str) -> Vec<(String, usize)> {
        scan(text).functions.into_iter().map(|function| (function.name, function.length)).collect()
    }

    #[test]
    fn braces_in_strings_and_comments_do_not_end_a_function() {
        let text = "fn f() {\n    let a = \"}\"; // }\n    /* } */\n    let b = '}';\n    let c = r#\"\n}\n\"#;\n}\nfn g() {\n    1;\n}";
        assert_eq!(lengths(text), [("f".to_owned(), 5), ("g".to_owned(), 1)]);
    }

    #[test]
    fn comments_and_blank_lines_are_free() {
        assert_eq!(lengths("fn f() {\n    // why\n\n    g(\n        1,\n    );\n}"), [("f".to_owned(), 3)]);
    }

    #[test]
    fn a_constant_argument_is_not_the_body() {
        assert_eq!(lengths("fn f() -> Buf<{ N + 1 }> {\n    a;\n    b\n}"), [("f".to_owned(), 2)]);
    }

    #[test]
    fn declarations_and_pointer_types_have_no_body() {
        assert_eq!(lengths("trait T { fn f(&self) -> u8; }\ntype P = fn(u8) -> u8;\nstruct S { p: fn() }"), []);
    }

    #[test]
    fn nested_functions_and_methods_in_macros_are_found() {
        let names: Vec<String> = lengths("impl S { fn a() { fn b() {} } }\nmacro! { fn c() {} }")
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_test_is_told_from_its_helpers() {
        let source = scan(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n    #[test]\n    fn c() {}\n    #[tokio::test]\n    async fn d() {}\n}\n",
        );
        let kinds: Vec<FunctionKind> = source.functions.iter().map(|function| function.kind).collect();
        assert_eq!(kinds, [FunctionKind::Production, FunctionKind::TestHelper, FunctionKind::Test, FunctionKind::Test]);
        assert_eq!(source.production_lines(), 2);
    }

    #[test]
    fn a_table_says_so_in_its_reason() {
        let source = scan(
            "#[expect(clippy::too_many_lines, reason = \"table of commands\")]\nfn a() {}\n#[expect(clippy::too_many_lines, reason = \"grew\")]\nfn b() {}",
        );
        let tables: Vec<bool> = source.functions.iter().map(|function| function.is_table).collect();
        assert_eq!(tables, [true, false]);
    }

    #[test]
    fn an_attribute_belongs_to_the_next_item_only() {
        let source = scan("#[test]\nfn a() {}\nfn b() {}\n#[test]\nuse c;\nfn d() {}");
        let tests: Vec<bool> = source.functions.iter().map(|function| function.kind == FunctionKind::Test).collect();
        assert_eq!(tests, [true, false, false]);
    }

    #[test]
    fn paths_are_found_plain_and_in_groups() {
        let source = scan("use std::{io, collections::{BTreeMap, HashMap}};\nfn f() { core::mem::swap(a, b) }");
        for path in ["std::io", "std::collections::HashMap", "core::mem", "std"] {
            assert!(source.names(path), "{path}");
        }
        for path in ["std::fs", "mem::swap"] {
            assert!(!source.names(path), "{path}");
        }
    }

    #[test]
    fn files_of_test_modules_are_known_by_their_declaration() {
        let text = "#[cfg(test)]\nmod support;\nmod engine;\n";
        let declared = |path: &str| Source::new(PathBuf::from(path), text.to_owned()).unwrap().test_module_paths();
        assert_eq!(declared("a/src/lib.rs"), [PathBuf::from("a/src/support")]);
        assert_eq!(declared("a/src/state.rs"), [PathBuf::from("a/src/state/support")]);
    }

    #[test]
    fn a_crate_is_named_by_a_path_into_it() {
        assert!(!scan("extern crate std;").names("std"));
        assert!(scan("use ::std::io;").names("std"));
    }

    #[test]
    fn paths_in_tests_comments_and_strings_are_not_production() {
        let source = scan("// std::fs\nconst A: &str = \"std::fs\";\n#[cfg(test)]\nmod tests { use std::fs; }");
        assert!(!source.names("std::fs"));
    }
}
