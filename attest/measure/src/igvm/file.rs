// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reading an IGVM file: a fixed header, headers of platforms, initialisation and directives, and the data that they point to.

use std::collections::BTreeMap;

use evtpm_snp::{LaunchDigest, PAGE_SIZE, PageType};

use crate::{
    Error,
    bytes::{array, u32_at, u64_at},
};

const WHAT: &str = "IGVM header";
const MAGIC: [u8; 4] = *b"IGVM";
/// The checksum's place in the fixed header.
const CHECKSUM: usize = 20;
const LARGE_PAGES: u64 = 512;

const SUPPORTED_PLATFORM: u32 = 0x001;
const GUEST_POLICY: u32 = 0x101;
const PARAMETER_AREA: u32 = 0x301;
const PAGE_DATA: u32 = 0x302;
const PARAMETER_INSERT: u32 = 0x303;
const VP_CONTEXT: u32 = 0x304;
const SNP_ID_BLOCK: u32 = 0x30b;

/// A platform that a file can be launched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// SEV-SNP.
    SevSnp,
    /// SEV.
    Sev,
    /// SEV-ES.
    SevEs,
}

/// A file, read.
#[derive(Clone, Debug)]
pub struct File<'a> {
    bytes: &'a [u8],
    platforms: Vec<(u8, u32)>,
    policies: Vec<(u32, u64)>,
    areas: BTreeMap<u32, u64>,
    directives: Vec<Directive>,
}

/// A directive, as far as it matters to a launch digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// A page, or 512 of them.
    Page(PageData),
    /// A parameter area is put into guest memory.
    ParameterInsert {
        /// The guest physical address.
        gpa: u64,
        /// The platforms.
        mask: u32,
        /// The area.
        area: u32,
    },
    /// The state of a processor.
    State {
        /// The guest physical address.
        gpa: u64,
        /// The platforms.
        mask: u32,
        /// Where the page is in the file.
        file_offset: u32,
    },
    /// An ID block, which the processor compares with the digest.
    IdBlock {
        /// The platforms.
        mask: u32,
        /// The digest that it expects.
        digest: LaunchDigest,
    },
    /// One that hands nothing to the secure processor: parameters, required memory, error ranges.
    Unmeasured,
}

/// IGVM_VHS_PAGE_DATA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageData {
    /// The guest physical address.
    pub gpa: u64,
    mask: u32,
    file_offset: u32,
    flags: u32,
    data_type: u16,
}

impl<'a> File<'a> {
    /// Reads the headers of a file.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut file =
            Self { bytes, platforms: Vec::new(), policies: Vec::new(), areas: BTreeMap::new(), directives: Vec::new() };
        let mut headers = variable_headers(bytes)?;
        while !headers.is_empty() {
            let kind = u32_at(headers, 0, WHAT)?;
            let length = usize::try_from(u32_at(headers, 4, WHAT)?).unwrap_or(usize::MAX);
            let rest = headers.get(8..).unwrap_or_default();
            let body = rest.get(..length).ok_or(Error::Truncated { what: WHAT })?;
            // The headers' section is a multiple of 8 bytes long, so that a last header's padding is there.
            headers = rest.get(length.next_multiple_of(8)..).ok_or(Error::Truncated { what: WHAT })?;
            file.add(kind, body)?;
        }
        Ok(file)
    }

    fn add(&mut self, kind: u32, body: &[u8]) -> Result<(), Error> {
        match kind {
            SUPPORTED_PLATFORM => {
                self.platforms.push((u8::from_le_bytes(array(body, 5, WHAT)?), u32_at(body, 0, WHAT)?))
            }
            GUEST_POLICY => self.policies.push((u32_at(body, 8, WHAT)?, u64_at(body, 0, WHAT)?)),
            // Other platform and initialisation headers load nothing.
            0x002..=0x200 => {}
            PARAMETER_AREA => {
                let index = u32_at(body, 8, WHAT)?;
                if self.areas.insert(index, u64_at(body, 0, WHAT)?).is_some() {
                    let detail = format!("number {index} is declared twice");
                    return Err(Error::Invalid { what: "IGVM parameter area", detail });
                }
            }
            _ => self.directives.push(Directive::parse(kind, body)?),
        }
        Ok(())
    }

    /// Returns the bit by which headers say that they are for this platform.
    pub(super) fn mask(&self, platform: Platform) -> Result<u32, Error> {
        let number = match platform {
            Platform::SevSnp => 2,
            Platform::Sev => 4,
            Platform::SevEs => 5,
        };
        let found = self.platforms.iter().find(|(other, _)| *other == number);
        found.map(|(_, mask)| *mask).ok_or(Error::Missing {
            what: match platform {
                Platform::SevSnp => "launch with SEV-SNP",
                Platform::Sev => "launch with SEV",
                Platform::SevEs => "launch with SEV-ES",
            },
        })
    }

    /// Tells whether the file can be launched on this platform.
    pub fn supports(&self, platform: Platform) -> bool {
        self.mask(platform).is_ok()
    }

    /// Returns the guest policy that the file states for the platform.
    pub fn policy(&self, platform: Platform) -> Option<u64> {
        let mask = self.mask(platform).ok()?;
        self.policies.iter().find(|(other, _)| other & mask != 0).map(|(_, policy)| *policy)
    }

    /// Iterates over the directives in order.
    pub fn directives(&self) -> impl Iterator<Item = &Directive> {
        self.directives.iter()
    }

    /// Returns the number of bytes of a parameter area.
    pub(super) fn parameter_area(&self, index: u32) -> Result<u64, Error> {
        self.areas.get(&index).copied().ok_or(Error::Missing { what: "parameter area" })
    }

    /// Returns the page at an offset.
    pub(super) fn page(&self, offset: u32) -> Result<&'a [u8; PAGE_SIZE], Error> {
        let page = usize::try_from(offset).ok().and_then(|offset| self.bytes.get(offset..)?.first_chunk());
        page.ok_or(Error::Truncated { what: "IGVM page" })
    }

    /// Returns the data of a page; `None` where it is a page of zeros.
    pub(super) fn page_data(&self, page: &PageData) -> Result<Option<&'a [u8]>, Error> {
        if page.file_offset == 0 {
            return Ok(None);
        }
        let length = usize::try_from(page.pages()).ok().and_then(|pages| pages.checked_mul(PAGE_SIZE));
        let start = usize::try_from(page.file_offset).ok();
        let data = start.and_then(|start| self.bytes.get(start..)?.get(..length?));
        data.map(Some).ok_or(Error::Truncated { what: "IGVM page" })
    }
}

impl Directive {
    fn parse(kind: u32, body: &[u8]) -> Result<Self, Error> {
        match kind {
            PAGE_DATA => Ok(Self::Page(PageData {
                gpa: u64_at(body, 0, WHAT)?,
                mask: u32_at(body, 8, WHAT)?,
                file_offset: u32_at(body, 12, WHAT)?,
                flags: u32_at(body, 16, WHAT)?,
                data_type: u16::from_le_bytes(array(body, 20, WHAT)?),
            })),
            PARAMETER_INSERT => Ok(Self::ParameterInsert {
                gpa: u64_at(body, 0, WHAT)?,
                mask: u32_at(body, 8, WHAT)?,
                area: u32_at(body, 12, WHAT)?,
            }),
            VP_CONTEXT => Ok(Self::State {
                gpa: u64_at(body, 0, WHAT)?,
                mask: u32_at(body, 8, WHAT)?,
                file_offset: u32_at(body, 12, WHAT)?,
            }),
            SNP_ID_BLOCK => {
                Ok(Self::IdBlock { mask: u32_at(body, 0, WHAT)?, digest: LaunchDigest(array(body, 8, WHAT)?) })
            }
            0x305..=0x313 => Ok(Self::Unmeasured),
            _ => Err(Error::Invalid { what: "IGVM directive", detail: format!("unknown type {kind:#x}") }),
        }
    }

    /// Tells whether the directive is for the platform with this mask.
    pub(super) fn is_for(&self, platform: u32) -> bool {
        match self {
            Self::Page(page) => page.mask & platform != 0,
            Self::ParameterInsert { mask, .. } | Self::State { mask, .. } | Self::IdBlock { mask, .. } => {
                mask & platform != 0
            }
            Self::Unmeasured => false,
        }
    }
}

impl PageData {
    const IS_2MB_PAGE: u32 = 1 << 0;
    const UNMEASURED: u32 = 1 << 1;
    const SHARED: u32 = 1 << 2;

    /// Returns the number of pages of 4 KiB.
    pub fn pages(&self) -> u64 {
        if self.flags & Self::IS_2MB_PAGE != 0 { LARGE_PAGES } else { 1 }
    }

    /// Tells whether the page stays visible to the host.
    pub fn is_shared(&self) -> bool {
        self.flags & Self::SHARED != 0
    }

    /// Returns the type as which the page is handed over.
    pub fn page_type(&self) -> Result<PageType, Error> {
        match self.data_type {
            0 if self.flags & Self::UNMEASURED != 0 => Ok(PageType::Unmeasured),
            0 => Ok(PageType::Normal),
            1 => Ok(PageType::Secrets),
            2 | 3 => Ok(PageType::Cpuid),
            other => Err(Error::Invalid { what: "IGVM page", detail: format!("unknown data type {other}") }),
        }
    }
}

/// Checks the fixed header and returns the section of variable headers.
fn variable_headers(bytes: &[u8]) -> Result<&[u8], Error> {
    const FIXED: &str = "IGVM fixed header";
    let invalid = |detail: String| Error::Invalid { what: FIXED, detail };
    if bytes.first_chunk() != Some(&MAGIC) {
        return Err(Error::Missing { what: "signature \"IGVM\"" });
    }
    let number = |at| u32_at(bytes, at, FIXED);
    let fixed_bytes = match number(4)? {
        1 => 24,
        2 => 32,
        version => return Err(invalid(format!("unknown version {version}"))),
    };
    if fixed_bytes == 32 && (number(24)?, number(28)?) != (0, 4096) {
        return Err(invalid(format!("architecture {} with pages of {} bytes", number(24)?, number(28)?)));
    }
    let (offset, size, total) = (number(8)?, number(12)?, number(16)?);
    if u64::from(total) != u64::try_from(bytes.len()).unwrap_or(u64::MAX) {
        return Err(invalid(format!("the file should have {total} bytes, and has {}", bytes.len())));
    }
    if offset < fixed_bytes || size.checked_rem(8) != Some(0) {
        return Err(invalid(format!("headers of {size} bytes at {offset}")));
    }
    let slice =
        |start: u32, length: u32| bytes.get(usize::try_from(start).ok()?..)?.get(..usize::try_from(length).ok()?);
    let headers = slice(offset, size).ok_or(Error::Truncated { what: WHAT })?;
    let fixed = slice(0, fixed_bytes).ok_or(Error::Truncated { what: FIXED })?;
    let (stated, computed) = (number(CHECKSUM)?, checksum(fixed, headers));
    if stated != computed {
        return Err(invalid(format!("checksum {stated:#010x}, and of these headers it is {computed:#010x}")));
    }
    Ok(headers)
}

/// Computes the checksum of the fixed header and the other headers, as if the checksum itself were zero.
pub fn checksum(fixed: &[u8], headers: &[u8]) -> u32 {
    let mut fixed = fixed.to_vec();
    fixed.iter_mut().skip(CHECKSUM).take(4).for_each(|byte| *byte = 0);
    crc32(&[&fixed, headers])
}

/// CRC-32 as in IEEE 802.3.
fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
