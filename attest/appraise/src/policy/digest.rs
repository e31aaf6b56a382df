// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Values of a policy: bytes in hexadecimal, digests with their algorithm, lists that are never empty.

use core::{fmt, ops::Deref, str::FromStr};

use evtpm_logs::{Digest, HashId};
use serde::{Deserialize, Serialize};

/// Exactly `N` bytes, written as hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes<const N: usize>(pub [u8; N]);

impl<const N: usize> TryFrom<String> for Bytes<N> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = hex::decode(&text).map_err(|error| format!("\"{text}\": {error}"))?;
        let length = bytes.len();
        bytes.try_into().map(Self).map_err(|_| format!("\"{text}\": expected {N} bytes, got {length}"))
    }
}

impl<const N: usize> From<Bytes<N>> for String {
    fn from(bytes: Bytes<N>) -> Self {
        hex::encode(bytes.0)
    }
}

impl<const N: usize> fmt::Display for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Any bytes, written as hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HexBytes(pub Vec<u8>);

impl TryFrom<String> for HexBytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        hex::decode(&text).map(Self).map_err(|error| format!("\"{text}\": {error}"))
    }
}

impl From<HexBytes> for String {
    fn from(bytes: HexBytes) -> Self {
        hex::encode(bytes.0)
    }
}

impl fmt::Display for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for HexBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The number of a register or a measurement, which is the key of a table: `0` to `255`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Index(pub u8);

impl TryFrom<String> for Index {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("\"{text}\" is no number from 0 to 255"))
    }
}

impl From<Index> for String {
    fn from(index: Index) -> Self {
        index.0.to_string()
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A digest with its algorithm, written `sha256:0123…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileDigest {
    /// The algorithm.
    pub algorithm: HashId,
    /// The digest.
    pub digest: Digest,
}

impl FileDigest {
    /// Takes a digest; `None` if it is longer than any.
    pub fn new(algorithm: HashId, digest: &[u8]) -> Option<Self> {
        Some(Self { algorithm, digest: Digest::new(digest)? })
    }
}

impl FromStr for FileDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, digits) = text.split_once(':').ok_or_else(|| format!("\"{text}\": expected algorithm:digits"))?;
        let algorithm = HashId::from_name(name).ok_or_else(|| format!("unknown hash algorithm \"{name}\""))?;
        let digest = hex::decode(digits).map_err(|error| format!("\"{text}\": {error}"))?;
        Self::new(algorithm, &digest)
            .filter(|_| algorithm.digest_size() == Some(digest.len()))
            .ok_or_else(|| format!("\"{text}\": {} bytes are no {name} digest", digest.len()))
    }
}

impl TryFrom<String> for FileDigest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FileDigest> for String {
    fn from(digest: FileDigest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.digest)
    }
}

/// A list that has at least one element; an empty one cannot be read, written or made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>", into = "Vec<T>", bound(serialize = "T: Clone + Serialize"))]
pub struct AtLeastOne<T>(Vec<T>);

impl<T> AtLeastOne<T> {
    /// Makes a list of one element.
    pub fn new(first: T) -> Self {
        Self(vec![first])
    }

    /// Adds an element unless it is there already.
    pub fn insert(&mut self, element: T)
    where
        T: PartialEq,
    {
        if !self.0.contains(&element) {
            self.0.push(element);
        }
    }
}

impl<T> TryFrom<Vec<T>> for AtLeastOne<T> {
    type Error = &'static str;

    fn try_from(list: Vec<T>) -> Result<Self, Self::Error> {
        if list.is_empty() { Err("the list must not be empty") } else { Ok(Self(list)) }
    }
}

impl<T> From<AtLeastOne<T>> for Vec<T> {
    fn from(list: AtLeastOne<T>) -> Self {
        list.0
    }
}

impl<T> Deref for AtLeastOne<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_another_length_are_refused() {
        assert_eq!(Bytes::<2>::try_from("0aFF".to_owned()), Ok(Bytes([0x0a, 0xff])));
        assert!(Bytes::<2>::try_from("0a".to_owned()).is_err());
        assert!(Bytes::<2>::try_from("0g00".to_owned()).is_err());
    }

    #[test]
    fn a_digest_has_the_size_of_its_algorithm() {
        let text = format!("sha256:{}", "ab".repeat(32));
        assert_eq!(text.parse::<FileDigest>().unwrap().to_string(), text);
        assert!("sha256:abcd".parse::<FileDigest>().is_err());
        assert!(format!("md5:{}", "ab".repeat(16)).parse::<FileDigest>().is_err());
        assert!("ab".repeat(32).parse::<FileDigest>().is_err());
    }

    #[test]
    fn a_list_is_never_empty() {
        assert!(AtLeastOne::<u8>::try_from(vec![]).is_err());
        assert!(serde_json::from_str::<AtLeastOne<u8>>("[]").is_err());
        assert_eq!(*serde_json::from_str::<AtLeastOne<u8>>("[1]").unwrap(), [1]);
    }
}
