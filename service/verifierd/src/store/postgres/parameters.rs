// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The parameters of a database's address that its driver does not know (PostgreSQL documentation, "Connection Strings").

/// An address without `sslmode` and `sslrootcert`, and those two.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parameters {
    pub(super) rest: String,
    pub(super) mode: Option<String>,
    pub(super) root: Option<String>,
}

impl Parameters {
    pub(super) fn take(text: &str) -> Result<Self, String> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Self::of_uri(text);
        }
        let mut parameters = Parameters::default();
        let mut left = text.trim_start();
        while !left.is_empty() {
            let not_a_pair = || format!("`{left}` is not NAME=VALUE");
            let (key, behind) = left.split_once('=').ok_or_else(not_a_pair)?;
            let key = key.trim();
            if !key.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') {
                return Err(not_a_pair());
            }
            let behind = behind.trim_start();
            let (value, length) = value(behind)?;
            let (whole, next) = behind.split_at_checked(length).ok_or("a value is cut")?;
            if !parameters.is_taken(key, value)? {
                parameters.rest.push_str(&format!("{key}={whole} "));
            }
            left = next.trim_start();
        }
        Ok(parameters)
    }

    fn of_uri(text: &str) -> Result<Self, String> {
        let Some((before, query)) = text.split_once('?') else {
            return Ok(Parameters { rest: text.to_owned(), ..Parameters::default() });
        };
        let mut parameters = Parameters { rest: before.to_owned(), ..Parameters::default() };
        let mut separator = '?';
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if !parameters.is_taken(key, unescape(value)?)? {
                parameters.rest.push(separator);
                parameters.rest.push_str(pair);
                separator = '&';
            }
        }
        Ok(parameters)
    }

    /// Keeps a parameter if it is one of the two; it may be there once.
    fn is_taken(&mut self, key: &str, value: String) -> Result<bool, String> {
        let place = match key {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.root,
            _ => return Ok(false),
        };
        match place.replace(value) {
            None => Ok(true),
            Some(_) => Err(format!("{key} is there twice")),
        }
    }
}

/// Reads a value, in quotes or up to the next space, and returns it with the number of bytes that it takes.
fn value(text: &str) -> Result<(String, usize), String> {
    let mut letters = text.char_indices();
    let mut value = String::new();
    let is_quoted = text.starts_with('\'');
    if is_quoted {
        letters.next();
    }
    while let Some((place, letter)) = letters.next() {
        match letter {
            '\'' if is_quoted => return Ok((value, place + 1)),
            letter if letter.is_whitespace() && !is_quoted => return Ok((value, place)),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            letter => value.push(letter),
        }
    }
    if is_quoted { Err("a quote is not closed".into()) } else { Ok((value, text.len())) }
}

/// Reads `%2F` and its like (RFC 3986, "Percent-Encoding").
fn unescape(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let pair = [left.next(), left.next()].map(|digit| char::from(digit.unwrap_or(b'?')).to_digit(16));
        let [Some(high), Some(low)] = pair else { return Err(format!("`{text}` has a % without two digits")) };
        bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` is no UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Option<String>, Option<String>) {
        let Parameters { rest, mode, root } = Parameters::take(text).unwrap();
        (rest.trim().to_owned(), mode, root)
    }

    #[test]
    fn the_two_are_taken_out_of_either_form_and_the_rest_stays() {
        let (mode, root) = (Some("verify-full".to_owned()), Some("/etc/my ca.pem".to_owned()));
        let words = r"host=db sslmode = verify-full password='it''s' sslrootcert='/etc/my ca.pem' user=a\ b";
        // `''` ends one value and begins a next one without a name, which is nobody's address.
        assert!(Parameters::take(words).is_err());
        let words = r"host=db sslmode = verify-full password='it\'s' sslrootcert='/etc/my ca.pem' user=a\ b";
        assert_eq!(taken(words), (r"host=db password='it\'s' user=a\ b".into(), mode.clone(), root.clone()));
        let uri = "postgresql://a:b%3F@db/evtpm?sslmode=verify-full&connect_timeout=5&sslrootcert=/etc/my%20ca.pem";
        assert_eq!(taken(uri), ("postgresql://a:b%3F@db/evtpm?connect_timeout=5".into(), mode, root));
        assert_eq!(taken("postgres://db/evtpm"), ("postgres://db/evtpm".into(), None, None));
        assert_eq!(taken(""), (String::new(), None, None));
    }

    #[test]
    fn what_is_cut_or_there_twice_is_refused() {
        for text in ["host", "sslmode='require", "sslmode=a sslmode=b", "postgresql://db/?sslrootcert=%2"] {
            assert!(Parameters::take(text).is_err(), "{text}");
        }
    }
}
