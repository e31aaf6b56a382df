// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Canonical XML 1.1 (W3C, without comments) of documents that need little of it: a document type, a processing instruction or an
//! attribute in the namespace `xml` is refused, and with that, versions 1.0 and 1.1 are the same.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use roxmltree::{Attribute, Document, Node, NodeId, ParsingOptions};

use crate::Error;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// The most nodes of a document.
const MAX_NODES: u32 = 1 << 16;
/// The deepest nesting of elements.
const MAX_DEPTH: usize = 64;

/// Parses a document without document type, within limits.
pub(crate) fn parse<'a>(what: &'static str, bytes: &'a [u8]) -> Result<Document<'a>, Error> {
    let malformed = |detail: String| Error::Malformed { what, detail };
    let text = core::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|error| malformed(error.to_string()))
}

/// Writes an element with all that is in it, but for the element `without`, in canonical form.
///
/// An element that is not the document's root declares what is in scope for it, as inclusive canonicalisation asks for.
pub(crate) fn canonical(apex: Node<'_, '_>, without: Option<NodeId>) -> Result<Vec<u8>, Error> {
    let mut output = String::new();
    let mut open: Vec<Node<'_, '_>> = Vec::new();
    let mut next = Some(apex);
    while let Some(node) = next {
        let is_entered = enter(&mut output, node, open.last().copied(), without)?;
        if is_entered {
            if open.len() >= MAX_DEPTH {
                return Err(refused("too many nested elements"));
            }
            open.push(node);
            if let Some(child) = node.first_child() {
                next = Some(child);
                continue;
            }
            leave(&mut output, &mut open)?;
        }
        next = if open.is_empty() { None } else { node.next_sibling() };
        // The end of an element's children is the end of the element.
        while next.is_none() && !open.is_empty() {
            let parent = leave(&mut output, &mut open)?;
            next = if open.is_empty() { None } else { parent.and_then(|parent| parent.next_sibling()) };
        }
    }
    Ok(output.into_bytes())
}

/// Writes a text, or the beginning of an element, which is then open.
fn enter(
    output: &mut String,
    node: Node<'_, '_>,
    parent: Option<Node<'_, '_>>,
    without: Option<NodeId>,
) -> Result<bool, Error> {
    if node.is_text() {
        escape(
            output,
            node.text().unwrap_or_default(),
            &[('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('\r', "&#xD;")],
        );
        return Ok(false);
    }
    if node.is_comment() || without == Some(node.id()) {
        return Ok(false);
    }
    if !node.is_element() {
        return Err(refused("a processing instruction"));
    }
    output.push('<');
    output.push_str(qualified_name(node)?);
    declare(output, node, parent);
    let mut attributes: Vec<Attribute<'_, '_>> = node.attributes().collect();
    attributes.sort_by_key(|attribute| (attribute.namespace().unwrap_or_default(), attribute.name()));
    for attribute in attributes {
        if attribute.namespace() == Some(XML_NAMESPACE) {
            return Err(refused("an attribute in the namespace xml"));
        }
        let name = node.document().input_text().get(attribute.range_qname());
        write_attribute(output, name.ok_or_else(|| refused("an attribute without name"))?, attribute.value());
    }
    output.push('>');
    Ok(true)
}

fn leave<'a, 'input>(output: &mut String, open: &mut Vec<Node<'a, 'input>>) -> Result<Option<Node<'a, 'input>>, Error> {
    let Some(node) = open.pop() else { return Ok(None) };
    output.push_str("</");
    output.push_str(qualified_name(node)?);
    output.push('>');
    Ok(Some(node))
}

/// Declares the namespaces that are in scope here and were not for the parent, in the order of their prefixes.
fn declare(output: &mut String, node: Node<'_, '_>, parent: Option<Node<'_, '_>>) {
    let known =
        |prefix: Option<&str>| parent.and_then(|parent| parent.lookup_namespace_uri(prefix)).unwrap_or_default();
    let in_scope = node.namespaces().filter(|namespace| namespace.uri() != XML_NAMESPACE);
    let mut new: Vec<(&str, &str)> = in_scope
        .filter(|namespace| known(namespace.name()) != namespace.uri())
        .map(|namespace| (namespace.name().unwrap_or_default(), namespace.uri()))
        .collect();
    new.sort_unstable();
    for (prefix, uri) in new {
        let name = if prefix.is_empty() { String::from("xmlns") } else { alloc::format!("xmlns:{prefix}") };
        write_attribute(output, &name, uri);
    }
}

fn write_attribute(output: &mut String, name: &str, value: &str) {
    const ESCAPES: [(char, &str); 6] =
        [('&', "&amp;"), ('<', "&lt;"), ('"', "&quot;"), ('\t', "&#x9;"), ('\n', "&#xA;"), ('\r', "&#xD;")];
    output.push(' ');
    output.push_str(name);
    output.push_str("=\"");
    escape(output, value, &ESCAPES);
    output.push('"');
}

fn escape(output: &mut String, text: &str, escapes: &[(char, &str)]) {
    for character in text.chars() {
        match escapes.iter().find(|(escaped, _)| *escaped == character) {
            Some((_, written)) => output.push_str(written),
            None => output.push(character),
        }
    }
}

/// The name with the prefix that the document has for it.
fn qualified_name<'input>(node: Node<'_, 'input>) -> Result<&'input str, Error> {
    let text = node.document().input_text().get(node.range()).and_then(|text| text.strip_prefix('<'));
    let name = text.and_then(|text| text.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next());
    name.ok_or_else(|| refused("an element without name"))
}

fn refused(detail: &str) -> Error {
    Error::Malformed { what: "XML document", detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical_of(text: &str) -> String {
        let document = parse("test", text.as_bytes()).unwrap();
        String::from_utf8(canonical(document.root_element(), None).unwrap()).unwrap()
    }

    #[test]
    fn the_examples_of_the_recommendation_come_out_as_it_says() {
        // Canonical XML 1.1, 3.2 and 3.3 (start and end tags), without their document type.
        assert_eq!(canonical_of("<doc>\n <clean>   </clean>\n</doc>\n\n"), "<doc>\n <clean>   </clean>\n</doc>");
        assert_eq!(
            canonical_of(
                "<e5 a:attr=\"out\" b:attr=\"sorted\" attr2=\"all\" attr=\"I'm\"\n xmlns:b=\"http://www.ietf.org\" xmlns:a=\"http://www.w3.org\" xmlns=\"http://example.org\"/>"
            ),
            "<e5 xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" xmlns:b=\"http://www.ietf.org\" attr=\"I'm\" attr2=\"all\" b:attr=\"sorted\" a:attr=\"out\"></e5>"
        );
        assert_eq!(
            canonical_of(
                "<e6 xmlns=\"\" xmlns:a=\"http://www.w3.org\"><e7 xmlns=\"http://www.ietf.org\"><e8 xmlns=\"\" xmlns:a=\"http://www.w3.org\"><e9 xmlns=\"\" xmlns:a=\"http://www.ietf.org\"/></e8></e7></e6>"
            ),
            "<e6 xmlns:a=\"http://www.w3.org\"><e7 xmlns=\"http://www.ietf.org\"><e8 xmlns=\"\"><e9 xmlns:a=\"http://www.ietf.org\"></e9></e8></e7></e6>"
        );
        // 3.4 (character modifications and character references).
        assert_eq!(
            canonical_of(
                "<doc><text>First line&#x0d;&#10;Second line</text><value>&#x32;</value><compute><![CDATA[value>\"0\" && value<\"10\"]]></compute></doc>"
            ),
            "<doc><text>First line&#xD;\nSecond line</text><value>2</value><compute>value&gt;\"0\" &amp;&amp; value&lt;\"10\"</compute></doc>"
        );
    }

    #[test]
    fn what_is_left_out_leaves_its_surroundings() {
        let document = parse("test", b"<a> <b/> <!-- c --><d>1</d></a>").unwrap();
        let left_out = document.descendants().find(|node| node.has_tag_name("b")).map(|node| node.id());
        assert_eq!(canonical(document.root_element(), left_out).unwrap(), b"<a>  <d>1</d></a>");
    }

    #[test]
    fn what_needs_more_than_this_is_refused() {
        assert!(parse("test", b"<!DOCTYPE a><a/>").is_err());
        for text in ["<a><?pi x?></a>", "<a xml:lang=\"en\"/>"] {
            let document = parse("test", text.as_bytes()).unwrap();
            assert!(canonical(document.root_element(), None).is_err(), "{text}");
        }
        let deep = ["<a>".repeat(MAX_DEPTH + 1), "</a>".repeat(MAX_DEPTH + 1)].concat();
        let document = parse("test", deep.as_bytes()).unwrap();
        assert!(canonical(document.root_element(), None).is_err());
    }
}
