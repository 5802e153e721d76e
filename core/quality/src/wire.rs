//! The compact form in which sketches travel from agents and lie in the records.
//!
//! One byte version, one byte kind, then LEB128 varints for counts and little-endian IEEE 754 doubles for sums. Bucket
//! indices go as zigzag differences. Decoding takes nothing on trust: every value must be one that an encoder writes.

use std::collections::BTreeMap;

use crate::{BinnedCounts, Counters, DistributionSketch, Moments, Sketch, SketchError};

const VERSION: u8 = 1;
const MOMENTS: u8 = 0;
const DISTRIBUTION: u8 = 1;
const BINS: u8 = 2;
const COUNTERS: u8 = 3;

impl Sketch {
    /// The wire form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        match self {
            Self::Moments(Moments { n, sum, squares }) => {
                bytes.push(MOMENTS);
                put_varint(&mut bytes, *n);
                bytes.extend_from_slice(&sum.to_le_bytes());
                bytes.extend_from_slice(&squares.to_le_bytes());
            }
            Self::Distribution(DistributionSketch { zeros, buckets, sum }) => {
                bytes.push(DISTRIBUTION);
                put_varint(&mut bytes, *zeros);
                bytes.extend_from_slice(&sum.to_le_bytes());
                put_varint(&mut bytes, buckets.len() as u64);
                let mut previous = 0;
                for (index, count) in buckets {
                    put_varint(&mut bytes, zigzag(i64::from(*index) - previous));
                    put_varint(&mut bytes, *count);
                    previous = i64::from(*index);
                }
            }
        }
        bytes
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// [`SketchError::Decode`] says what was wrong. Never panics and allocates no more than the bytes can hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchError> {
        let (mut reader, kind) = Reader::open(bytes)?;
        let sketch = match kind {
            MOMENTS => Self::Moments(reader.moments()?),
            DISTRIBUTION => Self::Distribution(reader.distribution()?),
            kind => return Err(decode(format!("kind {kind} is neither moments (0) nor distribution (1)"))),
        };
        reader.close(sketch)
    }
}

impl BinnedCounts {
    /// The wire form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, BINS];
        put_varint(&mut bytes, self.edges().len() as u64);
        self.edges().iter().for_each(|edge| bytes.extend_from_slice(&edge.to_le_bytes()));
        self.counts().iter().for_each(|count| put_varint(&mut bytes, *count));
        put_varint(&mut bytes, self.missing());
        bytes
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// [`SketchError::Decode`] says what was wrong. Never panics and allocates no more than the bytes can hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchError> {
        let (mut reader, kind) = Reader::open(bytes)?;
        if kind != BINS {
            return Err(decode(format!("kind {kind} is not counts in bins ({BINS})")));
        }
        let length = reader.length("number of edges", 9)?;
        let edges = (0..length).map(|_| reader.double("edge")).collect::<Result<Vec<f64>, _>>()?;
        let counts = (0..=length).map(|_| reader.varint("bin count")).collect::<Result<Vec<u64>, _>>()?;
        let missing = reader.varint("count of missing")?;
        reader.close(Self::from_parts(edges, counts, missing)?)
    }
}

impl Counters {
    /// The wire form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, COUNTERS];
        put_varint(&mut bytes, self.iter().count() as u64);
        for (name, count) in self.iter() {
            put_varint(&mut bytes, name.len() as u64);
            bytes.extend_from_slice(name.as_bytes());
            put_varint(&mut bytes, count);
        }
        bytes
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// [`SketchError::Decode`] says what was wrong. Never panics and allocates no more than the bytes can hold.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchError> {
        let (mut reader, kind) = Reader::open(bytes)?;
        if kind != COUNTERS {
            return Err(decode(format!("kind {kind} is not counters ({COUNTERS})")));
        }
        let mut counters = BTreeMap::new();
        let mut total = 0_u64;
        for _ in 0..reader.length("number of counters", 2)? {
            let name = reader.name()?;
            let count = reader.varint("count")?;
            total = total
                .checked_add(count)
                .filter(|_| count > 0)
                .ok_or_else(|| decode(format!("a counter holds an impossible count of {count}")))?;
            if counters.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(decode("its names are out of order".to_string()));
            }
            counters.insert(name, count);
        }
        reader.close(Self::from_parts(counters))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader behind the header, and the kind of what follows.
    fn open(bytes: &'a [u8]) -> Result<(Self, u8), SketchError> {
        let mut reader = Self { bytes };
        let version = reader.byte("version")?;
        if version != VERSION {
            return Err(decode(format!(
                "version {version} is not {VERSION}: the sender is newer, update this side first"
            )));
        }
        let kind = reader.byte("kind")?;
        Ok((reader, kind))
    }

    /// What was read, if that was all.
    fn close<T>(self, read: T) -> Result<T, SketchError> {
        match self.bytes.len() {
            0 => Ok(read),
            rest => Err(decode(format!("{rest} bytes follow its end"))),
        }
    }

    /// A number of entries of at least `size` bytes each, so that a claimed length cannot make us allocate.
    fn length(&mut self, what: &str, size: u64) -> Result<u64, SketchError> {
        let length = self.varint(what)?;
        if length > self.bytes.len() as u64 / size {
            return Err(decode(format!("its {what}, {length}, does not fit into {} bytes", self.bytes.len())));
        }
        Ok(length)
    }

    fn name(&mut self) -> Result<String, SketchError> {
        let length = usize::try_from(self.varint("length of a name")?).unwrap_or(usize::MAX);
        let (name, rest) =
            self.bytes.split_at_checked(length).ok_or_else(|| decode("it ends in a name".to_string()))?;
        self.bytes = rest;
        if length > Counters::LONGEST {
            return Err(decode(format!("a name of {length} bytes is longer than {}", Counters::LONGEST)));
        }
        String::from_utf8(name.to_vec()).map_err(|_| decode("a name is no text".to_string()))
    }

    fn moments(&mut self) -> Result<Moments, SketchError> {
        let n = self.varint("count")?;
        let sum = self.double("sum")?;
        let squares = self.double("sum of squares")?;
        if squares < 0.0 || (n == 0 && (sum != 0.0 || squares != 0.0)) {
            return Err(decode(format!("{n} observations cannot have sum {sum} and sum of squares {squares}")));
        }
        Ok(Moments { n, sum, squares })
    }

    fn distribution(&mut self) -> Result<DistributionSketch, SketchError> {
        let zeros = self.varint("count of zeros")?;
        let sum = self.double("sum")?;
        let length = self.length("number of buckets", 2)?;
        let smallest = i64::from(DistributionSketch::index(DistributionSketch::SMALLEST));
        let largest = i64::from(DistributionSketch::index(DistributionSketch::LARGEST));
        let mut buckets: Vec<(i32, u64)> = Vec::new();
        let (mut previous, mut total) = (0_i64, zeros);
        for at in 0..length {
            let step = unzigzag(self.varint("bucket index")?);
            let count = self.varint("bucket count")?;
            let index = previous.saturating_add(step);
            let narrow = i32::try_from(index).ok().filter(|_| (smallest..=largest).contains(&index));
            let Some(narrow) = narrow.filter(|_| at == 0 || step > 0) else {
                return Err(decode(format!("bucket index {index} is out of range or out of order")));
            };
            total = total
                .checked_add(count)
                .filter(|_| count > 0)
                .ok_or_else(|| decode(format!("bucket {index} holds an impossible count of {count}")))?;
            buckets.push((narrow, count));
            previous = index;
        }
        if total == 0 && sum != 0.0 {
            return Err(decode(format!("no observations cannot have sum {sum}")));
        }
        Ok(DistributionSketch { zeros, buckets, sum })
    }

    fn byte(&mut self, what: &str) -> Result<u8, SketchError> {
        let (first, rest) = self.bytes.split_first().ok_or_else(|| decode(format!("it ends before its {what}")))?;
        self.bytes = rest;
        Ok(*first)
    }

    fn double(&mut self, what: &str) -> Result<f64, SketchError> {
        let (first, rest) =
            self.bytes.split_first_chunk::<8>().ok_or_else(|| decode(format!("it ends in its {what}")))?;
        self.bytes = rest;
        let value = f64::from_le_bytes(*first);
        if value.is_finite() { Ok(value) } else { Err(decode(format!("its {what} is {value}"))) }
    }

    fn varint(&mut self, what: &str) -> Result<u64, SketchError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                // The last byte of a longer number is never zero: one value, one encoding.
                return if shift > 0 && byte == 0 { Err(decode(format!("its {what} is padded"))) } else { Ok(value) };
            }
        }
        Err(decode(format!("its {what} is longer than 64 bits")))
    }
}

fn put_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    (value.wrapping_shl(1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

fn decode(problem: String) -> SketchError {
    SketchError::Decode(problem)
}
