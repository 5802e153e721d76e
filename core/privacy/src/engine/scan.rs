use crate::Entity;
use crate::catalog::Anchor;
use crate::check::iban;
use crate::shape::{card, email, signs, url};
use crate::text::{is_word_after, is_word_before};
use crate::{names, phone};

use super::machine::{Machine, Progress};
use super::{Candidate, EntitySet};

/// What a byte can start.
const PLAIN: u8 = 0;
const DIGIT: u8 = 1;
const COLON: u8 = 2;
const AT: u8 = 3;
const HYPHEN: u8 = 4;
const DOT: u8 = 5;
const CAPITAL: u8 = 6;
const OTHER: u8 = 7;

static CLASSES: [u8; 256] = {
    let mut classes = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b':' => COLON,
            b'@' => AT,
            b'-' => HYPHEN,
            b'.' => DOT,
            b'A'..=b'Z' => CAPITAL,
            // Letters of two bytes: Ä, É, Ş and so on may start a name.
            0xc3..=0xc5 => OTHER,
            _ => PLAIN,
        };
        byte += 1;
    }
    classes
};

/// Farthest a pattern's first digit is from its start, in bytes.
const LEAD: usize = 12;

/// Buffers that a caller keeps from one text to the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    run: Progress,
    digit: Progress,
    colon: Progress,
    licence: Progress,
    inside: Progress,
    addresses: Vec<url::Address>,
}

/// What is looked for, in groups that are switched on together.
struct Wanted {
    entities: EntitySet,
    numbers: bool,
    colons: bool,
    cards: bool,
    accounts: bool,
    phones: bool,
    mails: bool,
    urls: bool,
    names: bool,
}

/// Adds all candidates that start in `from..until` of a folded text.
pub(crate) fn scan(
    text: &str,
    from: usize,
    until: usize,
    entities: EntitySet,
    scratch: &mut Scratch,
    found: &mut Vec<Candidate>,
) {
    if entities.is_empty() || from >= until {
        return;
    }
    for progress in
        [&mut scratch.run, &mut scratch.digit, &mut scratch.colon, &mut scratch.licence, &mut scratch.inside]
    {
        progress.reset();
    }
    let by_hand =
        [Entity::EmailAddress, Entity::CreditCard, Entity::IbanCode, Entity::PhoneNumber, Entity::Url, Entity::Secret];
    let people = [Entity::Person, Entity::Location, Entity::Organization];
    let numbers =
        Entity::ALL.iter().any(|entity| entities.has(*entity) && !by_hand.contains(entity) && !people.contains(entity));
    let wanted = Wanted {
        entities,
        numbers,
        colons: entities.any(&[Entity::IpAddress, Entity::MacAddress]),
        cards: entities.has(Entity::CreditCard),
        accounts: entities.has(Entity::IbanCode),
        phones: entities.has(Entity::PhoneNumber),
        mails: entities.has(Entity::EmailAddress),
        urls: entities.has(Entity::Url),
        names: entities.any(&people),
    };
    let mut pass = Pass {
        text,
        bytes: text.as_bytes(),
        from,
        until,
        wanted: &wanted,
        scratch,
        found,
        tried: from,
        inside: from,
        card: from,
        phone: from,
        url: from,
        name: from,
    };
    pass.go();
    let secrets = entities.has(Entity::Secret);
    if secrets || wanted.mails {
        signs::find(text, from, until, secrets, wanted.mails, found);
    }
}

/// Where each reader has come to; none goes back behind that.
struct Pass<'a> {
    text: &'a str,
    bytes: &'a [u8],
    from: usize,
    until: usize,
    wanted: &'a Wanted,
    scratch: &'a mut Scratch,
    found: &'a mut Vec<Candidate>,
    tried: usize,
    inside: usize,
    card: usize,
    phone: usize,
    url: usize,
    name: usize,
}

impl Pass<'_> {
    fn go(&mut self) {
        let mut at = self.from;
        while at < self.until {
            match CLASSES[self.bytes[at] as usize] {
                PLAIN => at += 1,
                DIGIT => at = self.digits(at),
                class => {
                    match class {
                        COLON => self.colon(at),
                        AT if self.wanted.mails => self.at_sign(at),
                        HYPHEN => self.hyphen(at),
                        DOT => self.dot(at),
                        CAPITAL | OTHER if self.wanted.names => self.capital(at),
                        _ => {}
                    }
                    at += 1;
                }
            }
        }
    }

    /// A run of digits; returns where it ends.
    fn digits(&mut self, start: usize) -> usize {
        let end = start + count(&self.bytes[start..], u8::is_ascii_digit);
        if self.wanted.numbers {
            self.runs(start);
            self.within(start, end);
        }
        if self.wanted.accounts
            && start >= self.from + 2
            && end - start >= 2
            && self.bytes[start - 2..start].iter().all(u8::is_ascii_uppercase)
            && start
                .checked_sub(3)
                .is_none_or(|before| !self.bytes[before].is_ascii_uppercase() && !self.bytes[before].is_ascii_digit())
            && let Some(end) = iban::end(self.bytes, start - 2)
        {
            self.found.push(Candidate::sure(Entity::IbanCode, start - 2, end));
        }
        if self.wanted.cards && start >= self.card {
            let (chain, digits) = self.chain(start, end);
            self.card = chain;
            if digits >= 13 {
                card::find(self.text, start, chain, self.found);
            }
        }
        if self.wanted.phones && start >= self.phone {
            let (first, last, digits) = phone::candidate_end(self.text, self.phone.max(self.from), start);
            self.phone = last;
            if digits >= phone::LEAST {
                phone::find(self.text, first, last, self.found);
            }
        }
        end
    }

    /// Patterns that start at the run of letters and digits around the digits at `start`, or at a short word or two before.
    fn runs(&mut self, start: usize) {
        let before = |at: usize| {
            let low = self.tried.max(at.saturating_sub(LEAD));
            at - count_back(&self.bytes[low..at], |byte| byte.is_ascii_alphanumeric() || *byte >= 0x80)
        };
        let low = self.tried.max(start.saturating_sub(LEAD));
        let run = start - count_back(&self.bytes[low..start], u8::is_ascii_alphanumeric);
        let mut starts = [run; 3];
        for index in 1..3 {
            let at = starts[index - 1];
            // One separator; several spaces only as people write them behind a register's letters.
            let spaces = count_back(&self.bytes[self.tried.max(at.saturating_sub(8))..at], |byte| {
                matches!(byte, b' ' | b'\t' | b'-' | b'.')
            });
            if spaces == 0 || at < self.tried + spaces {
                break;
            }
            let word = before(at - spaces);
            let length = at - spaces - word;
            let letters = self.bytes[word..at - spaces].iter().all(|byte| !byte.is_ascii_digit());
            let register = length == 3 && self.bytes[word..word + 2].eq_ignore_ascii_case(b"HR");
            if length == 0 || length > 6 || !letters || spaces > 1 && !register {
                break;
            }
            starts[index] = word;
        }
        starts.sort_unstable();
        for start in starts {
            self.run(start);
        }
    }

    fn run(&mut self, start: usize) {
        let inside_run = start.checked_sub(1).is_some_and(|before| self.bytes[before].is_ascii_alphanumeric());
        if start < self.tried || inside_run || !self.text.is_char_boundary(start) {
            return;
        }
        self.tried = start + 1;
        if let Some(machine) = Machine::of(Anchor::Run) {
            machine.try_at(self.text, start, self.wanted.entities, &mut self.scratch.run, self.found);
        }
        if self.wanted.entities.has(Entity::InPan) {
            self.account_like(start);
        }
    }

    /// Ten characters with a letter and four digits in a row: an Indian account number in its loosest form.
    fn account_like(&mut self, start: usize) {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@#$%^?~-".contains(byte);
        let token = &self.bytes[start..(start + 11).min(self.bytes.len())];
        let edge = is_word_before(self.text, start + 10) != is_word_after(self.text, start + 10);
        if count(token, is_part) != 10 || is_word_before(self.text, start) || !edge {
            return;
        }
        let letter = token[..10].iter().any(u8::is_ascii_alphabetic);
        if letter && token[..10].windows(4).any(|four| four.iter().all(u8::is_ascii_digit)) {
            let candidate =
                Candidate { entity: Entity::InPan, start, end: start + 10, score: 0.01, checked: false, firm: false };
            self.found.push(candidate);
        }
    }

    /// Patterns that need no word boundary before them.
    fn within(&mut self, start: usize, end: usize) {
        let wanted = self.wanted.entities;
        if end - start >= 2
            && let Some(machine) = Machine::of(Anchor::Digit)
        {
            machine.try_at(self.text, start, wanted, &mut self.scratch.digit, self.found);
            for at in start + 1..(end + 1).saturating_sub(6).max(start + 1) {
                machine.try_at(self.text, at, wanted, &mut self.scratch.digit, self.found);
            }
        }
        if end - start >= 7
            && let Some(machine) = Machine::of(Anchor::Licence)
        {
            for at in start.saturating_sub(2).max(self.from)..start {
                machine.try_at(self.text, at, wanted, &mut self.scratch.licence, self.found);
            }
        }
        if start < self.inside {
            return;
        }
        let run = start - count_back(&self.bytes[self.inside..start], u8::is_ascii_alphanumeric);
        let run_end = end + count(&self.bytes[end..], u8::is_ascii_alphanumeric);
        self.inside = run_end;
        if run_end - run < 16 {
            return;
        }
        if let Some(machine) = Machine::of(Anchor::Inside) {
            for at in run..=run_end - 16 {
                machine.try_at(self.text, at, wanted, &mut self.scratch.inside, self.found);
            }
        }
    }

    /// Where the chain of digit runs with one separator between them ends, and how many digits it has.
    fn chain(&self, start: usize, end: usize) -> (usize, usize) {
        let (mut digits, mut at) = (end - start, end);
        while matches!(self.bytes.get(at), Some(b' ' | b'-')) {
            let more = count(&self.bytes[at + 1..], u8::is_ascii_digit);
            if more == 0 {
                break;
            }
            digits += more;
            at += 1 + more;
        }
        (at, digits)
    }

    fn colon(&mut self, at: usize) {
        if !self.wanted.colons {
            return;
        }
        let low = self.from.max(at.saturating_sub(5));
        let group = count_back(&self.bytes[low..at], u8::is_ascii_hexdigit);
        let start = at - group;
        if group > 4 || group == 0 && self.bytes.get(at + 1) != Some(&b':') {
            return;
        }
        if group == 2 && self.hardware(at) {
            self.run(start);
        }
        // Within a chain of groups the first has been tried.
        let chained = start > self.from && self.bytes[start - 1] == b':';
        if !chained
            && !is_word_before(self.text, start)
            && let Some(machine) = Machine::of(Anchor::Colon)
        {
            machine.try_at(self.text, start, self.wanted.entities, &mut self.scratch.colon, self.found);
        }
    }

    /// Whether two hexadecimal digits and the same separator follow.
    fn hardware(&self, at: usize) -> bool {
        matches!(self.bytes.get(at + 1..at + 4), Some([a, b, c]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() && *c == self.bytes[at])
    }

    fn hyphen(&mut self, at: usize) {
        if !self.wanted.numbers {
            return;
        }
        let group = count_back(&self.bytes[self.from.max(at.saturating_sub(9))..at], u8::is_ascii_hexdigit);
        if group == 2 && self.hardware(at) || group == 8 && self.bytes.get(at + 1).is_some_and(u8::is_ascii_hexdigit) {
            self.run(at - group);
        }
    }

    fn dot(&mut self, at: usize) {
        let bytes = self.bytes;
        let letter = bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic);
        if self.wanted.urls && letter && at >= self.url {
            self.scratch.addresses.clear();
            self.url = url::around(self.text, self.from, at, &mut self.scratch.addresses);
            for address in &self.scratch.addresses {
                let url::Address { start, end, score, meant } = *address;
                // Behind an at sign it is the domain of an e-mail address.
                if start == 0 || bytes[start - 1] != b'@' {
                    self.found.push(Candidate { entity: Entity::Url, start, end, score, checked: false, firm: meant });
                }
            }
        }
        if self.wanted.colons && bytes.get(at + 5) == Some(&b'.') {
            let group = count_back(&bytes[self.from.max(at.saturating_sub(5))..at], u8::is_ascii_hexdigit);
            if group == 4 && bytes[at + 1..at + 5].iter().all(u8::is_ascii_hexdigit) {
                self.run(at - 4);
            }
        }
    }

    fn at_sign(&mut self, at: usize) {
        if let Some((start, end)) = email::around(self.text, self.from, at) {
            self.found.push(Candidate::sure(Entity::EmailAddress, start, end));
        }
    }

    fn capital(&mut self, at: usize) {
        if at < self.name || is_word_before(self.text, at) {
            return;
        }
        self.name = names::at_word(self.text, self.from, at, self.found).max(at + 1);
        while let Some(last) = self.found.last() {
            let person = matches!(last.entity, Entity::Person | Entity::Location | Entity::Organization);
            if !person || self.wanted.entities.has(last.entity) {
                break;
            }
            self.found.pop();
        }
    }
}

fn count(bytes: &[u8], fits: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| fits(byte)).count()
}

fn count_back(bytes: &[u8], fits: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().rev().take_while(|byte| fits(byte)).count()
}
