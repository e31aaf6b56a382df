// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pages of a launch in order, and the digest that the secure processor makes of them (AMD 56860, "SNP_LAUNCH_UPDATE").

use evtpm_crypto::{Crypto, HashAlg, RustCrypto};
use evtpm_snp::{LaunchDigest, LaunchMeasurement, PAGE_SIZE, PageType, launch::PageInfo, launch::VMSA_GPA, vmsa::Vmsa};

use crate::{Error, bytes::array_of_digest as array};

/// The most pages of one launch: 4 GiB.
const MAX_PAGES: u64 = 1 << 20;

const ZEROS: [u8; PAGE_SIZE] = [0; PAGE_SIZE];

/// The pages of a launch, in the order in which they are handed over.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    ranges: Vec<PageRange>,
    pages: u64,
    base: Option<LaunchDigest>,
}

/// Adjacent pages of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRange {
    /// The type of the pages.
    pub page_type: PageType,
    /// The guest physical address of the first page.
    pub gpa: u64,
    /// The number of pages.
    pub count: u64,
    /// The contents, page by page; `None` where all pages are zero or are not measured.
    contents: Option<Vec<u8>>,
}

/// What one range makes of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The pages.
    pub range: &'a PageRange,
    /// The digest before them.
    pub before: LaunchDigest,
    /// The digest after them.
    pub after: LaunchDigest,
}

/// One page of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The type of the page.
    pub page_type: PageType,
    /// The guest physical address.
    pub gpa: u64,
    /// The contents.
    pub contents: &'a [u8; PAGE_SIZE],
}

impl Launch {
    /// Starts with no page.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts with pages of which only the digest is known, such as those of a firmware volume.
    pub fn resume(digest: LaunchDigest) -> Self {
        Self { base: Some(digest), ..Self::default() }
    }

    /// Adds one page.
    pub fn add_page(&mut self, page_type: PageType, gpa: u64, contents: &[u8; PAGE_SIZE]) -> Result<(), Error> {
        self.add(PageRange { page_type, gpa, count: 1, contents: Some(contents.to_vec()) })
    }

    /// Adds pages whose contents are zero, or are not looked at.
    pub fn add_zeros(&mut self, page_type: PageType, gpa: u64, count: u64) -> Result<(), Error> {
        self.add(PageRange { page_type, gpa, count, contents: None })
    }

    /// Adds bytes, filled up with zeros to whole pages.
    pub fn add_bytes(&mut self, page_type: PageType, gpa: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut contents = bytes.to_vec();
        contents.resize(bytes.len().next_multiple_of(PAGE_SIZE), 0);
        let count = contents.len().div_euclid(PAGE_SIZE) as u64;
        self.add(PageRange { page_type, gpa, count, contents: Some(contents) })
    }

    /// Adds the state of a processor, at the address that KVM gives it.
    pub fn add_vmsa(&mut self, vmsa: &Vmsa) -> Result<(), Error> {
        self.add_page(PageType::Vmsa, VMSA_GPA, vmsa.as_bytes())
    }

    fn add(&mut self, range: PageRange) -> Result<(), Error> {
        if range.gpa.checked_rem(PAGE_SIZE as u64) != Some(0) {
            return Err(Error::Unaligned { gpa: range.gpa });
        }
        let pages = self.pages.saturating_add(range.count);
        if pages > MAX_PAGES {
            return Err(Error::TooLarge { pages, limit: MAX_PAGES });
        }
        self.pages = pages;
        match self.ranges.last_mut() {
            Some(last) if last.is_continued_by(&range) => last.extend(range),
            _ => self.ranges.push(range),
        }
        Ok(())
    }

    /// Returns the ranges in order, to explain what a digest is made of.
    pub fn ranges(&self) -> &[PageRange] {
        &self.ranges
    }

    /// Iterates over the pages in order.
    pub fn pages(&self) -> impl Iterator<Item = Page<'_>> {
        self.ranges.iter().flat_map(PageRange::pages)
    }

    /// Computes the launch digest.
    pub fn digest(&self) -> LaunchDigest {
        self.steps().last().map_or_else(|| self.start(), |step| step.after)
    }

    /// Goes through the ranges with the digests before and after each.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.ranges.iter().scan(self.start(), |digest, range| {
            let before = *digest;
            *digest = range.measure(before);
            Some(Step { range, before, after: *digest })
        })
    }

    fn start(&self) -> LaunchDigest {
        self.base.unwrap_or(LaunchDigest([0; 48]))
    }
}

impl PageRange {
    /// Tells whether the other range begins where this one ends, with pages of the same kind.
    fn is_continued_by(&self, next: &Self) -> bool {
        let end = self.count.saturating_mul(PAGE_SIZE as u64).saturating_add(self.gpa);
        self.page_type == next.page_type && end == next.gpa && self.contents.is_some() == next.contents.is_some()
    }

    fn extend(&mut self, next: Self) {
        self.count = self.count.saturating_add(next.count);
        if let (Some(contents), Some(more)) = (&mut self.contents, next.contents) {
            contents.extend(more);
        }
    }

    /// Returns the digest after this range, by the one before it.
    fn measure(&self, before: LaunchDigest) -> LaunchDigest {
        let mut measurement = LaunchMeasurement::resume(before, sha384);
        if self.contents.is_some() {
            self.pages().for_each(|page| measurement.add_page(page.page_type, page.gpa, page.contents));
            return measurement.digest();
        }
        // All pages are the same: their contents are hashed once.
        let contents = if self.page_type.measures_contents() { sha384(&ZEROS) } else { [0; 48] };
        for page in self.pages() {
            measurement.add(&PageInfo::new(measurement.digest(), page.page_type, page.gpa, contents));
        }
        measurement.digest()
    }

    /// Iterates over the pages of the range.
    pub fn pages(&self) -> impl Iterator<Item = Page<'_>> {
        let contents = self.contents.as_deref().unwrap_or_default();
        let pages = contents.as_chunks::<PAGE_SIZE>().0.iter();
        (0..self.count).zip(pages.chain(core::iter::repeat(&ZEROS))).map(|(index, contents)| Page {
            page_type: self.page_type,
            gpa: self.gpa.saturating_add(index.saturating_mul(PAGE_SIZE as u64)),
            contents,
        })
    }
}

pub(crate) fn sha384(bytes: &[u8]) -> [u8; 48] {
    array(&RustCrypto::hash(HashAlg::Sha384, &[bytes]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch() -> Launch {
        let mut launch = Launch::new();
        launch.add_page(PageType::Normal, 0x1000, &[1; PAGE_SIZE]).unwrap();
        launch.add_page(PageType::Normal, 0x2000, &[2; PAGE_SIZE]).unwrap();
        launch
    }

    #[test]
    fn no_page_gives_the_digest_of_zeros() {
        assert_eq!(Launch::new().digest(), LaunchDigest([0; 48]));
    }

    #[test]
    fn bytes_are_the_same_as_their_pages() {
        let mut whole = Launch::new();
        whole.add_bytes(PageType::Normal, 0x1000, &[[1; PAGE_SIZE], [2; PAGE_SIZE]].concat()).unwrap();
        assert_eq!(whole.digest(), launch().digest());
    }

    #[test]
    fn order_address_type_and_contents_all_count() {
        let mut swapped = Launch::new();
        swapped.add_page(PageType::Normal, 0x2000, &[2; PAGE_SIZE]).unwrap();
        swapped.add_page(PageType::Normal, 0x1000, &[1; PAGE_SIZE]).unwrap();
        let mut moved = Launch::new();
        moved.add_page(PageType::Normal, 0x1000, &[1; PAGE_SIZE]).unwrap();
        moved.add_page(PageType::Normal, 0x3000, &[2; PAGE_SIZE]).unwrap();
        let mut retyped = Launch::new();
        retyped.add_page(PageType::Normal, 0x1000, &[1; PAGE_SIZE]).unwrap();
        retyped.add_page(PageType::Vmsa, 0x2000, &[2; PAGE_SIZE]).unwrap();
        let mut changed = Launch::new();
        changed.add_page(PageType::Normal, 0x1000, &[1; PAGE_SIZE]).unwrap();
        changed.add_page(PageType::Normal, 0x2000, &[3; PAGE_SIZE]).unwrap();
        for other in [swapped, moved, retyped, changed] {
            assert_ne!(other.digest(), launch().digest());
        }
    }

    #[test]
    fn adjacent_pages_of_one_type_are_one_range_and_every_step_begins_where_the_last_one_ended() {
        let mut launch = launch();
        launch.add_zeros(PageType::Zero, 0x3000, 2).unwrap();
        let steps: Vec<_> = launch.steps().collect();
        assert_eq!(
            steps.iter().map(|step| (step.range.gpa, step.range.count)).collect::<Vec<_>>(),
            [(0x1000, 2), (0x3000, 2)]
        );
        assert_eq!(steps[0].before, LaunchDigest([0; 48]));
        assert_eq!(steps[0].after, steps[1].before);
        assert_eq!(steps[1].after, launch.digest());
    }

    #[test]
    fn a_launch_goes_on_from_a_digest() {
        let mut first = Launch::new();
        first.add_page(PageType::Normal, 0x1000, &[1; PAGE_SIZE]).unwrap();
        let mut rest = Launch::resume(first.digest());
        rest.add_page(PageType::Normal, 0x2000, &[2; PAGE_SIZE]).unwrap();
        assert_eq!(rest.digest(), launch().digest());
    }

    #[test]
    fn normal_pages_of_zeros_are_the_same_with_and_without_their_contents() {
        let (mut stored, mut stated) = (Launch::new(), Launch::new());
        stored.add_bytes(PageType::Normal, 0x1000, &[0; 2 * PAGE_SIZE]).unwrap();
        stated.add_zeros(PageType::Normal, 0x1000, 2).unwrap();
        assert_eq!(stored.digest(), stated.digest());
    }

    #[test]
    fn an_address_inside_of_a_page_is_refused() {
        assert_eq!(Launch::new().add_zeros(PageType::Zero, 0x1001, 1), Err(Error::Unaligned { gpa: 0x1001 }));
    }

    #[test]
    fn more_pages_than_the_limit_are_refused() {
        let refused = Launch::new().add_zeros(PageType::Zero, 0, u64::MAX);
        assert_eq!(refused, Err(Error::TooLarge { pages: u64::MAX, limit: MAX_PAGES }));
    }
}
