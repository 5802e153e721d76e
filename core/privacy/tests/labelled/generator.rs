use homeostat_privacy::Entity;

/// A text and what it holds: entity, first byte, one past the last.
pub(crate) struct Labelled {
    pub(crate) text: String,
    pub(crate) spans: Vec<(Entity, usize, usize)>,
}

/// Writes texts from templates; the same seed gives the same texts.
pub(crate) struct Generator(u64);

/// `{x}` is replaced by a value: e-mail, phone, card, SSN, IBAN, IP, MAC, URL, a word, a number that is nothing.
const TEMPLATES: &[&str] = &[
    "Please write to {e} or call {p} before Friday.",
    "Her card {c} expires soon; the new one will be {c}.",
    "SSN {s} was entered twice in form {n}.",
    "My social security number is {s}, and my e-mail is {e}.",
    "Transfer {n} euros to {i} by the end of the month.",
    "IBAN: {i}, reference {w}-{n}",
    "The host {a} answered after {n} ms, {a} did not.",
    "device {m} got address {a} on port {n}",
    "See {u} for details, or {u}.",
    "{e} logged in from {a} at 10:{n}",
    "Call me at {p}. If nobody answers, try {p}!",
    "Order {n} was paid with {c} ({w}).",
    "<a href=\"{u}\">{w}</a>",
    "{\"mail\": \"{e}\", \"ip\": \"{a}\", \"mac\": \"{m}\"}",
    "The {w} of version 1.{n} has {n} {w}s and costs {n}.99 dollars.",
    "Chapter {n}, pages {n}-{n}, was written in 19{n}.",
    "fn {w}_{n}(x: u{n}) -> [u8; {n}] { x + 0x{n} }",
    "Kontonummer {i} gehört zu {e}, Telefon {p}.",
    "phone: {p}; fax: {p}; web: {u}",
    "Nothing to see here: {w} {w} {w} {n}.",
    "(tel. {p})",
    "{w}: {c}",
    "Patient, SSN: {s}, reachable at {p}",
    "ssh root@{a} and then ping {m}",
];

const WORDS: &[&str] =
    &["order", "widget", "mouse", "garden", "letter", "answer", "river", "module", "parser", "table"];
const PEOPLE: &[&str] = &["ann", "bob.smith", "c_jones", "dora+news", "e.f.green", "frank1980", "gina-lee"];
const HOSTS: &[&str] =
    &["example.org", "mail.example.com", "firma.de", "uni-bonn.de", "shop.co.uk", "company.io", "web.fr"];

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn text(&mut self) -> Labelled {
        let template = self.pick(TEMPLATES);
        let (mut text, mut spans) = (String::new(), Vec::new());
        let mut rest = template;
        while let Some(at) = rest.find('{') {
            text.push_str(&rest[..at]);
            let (entity, value) = match rest.get(at..at + 3) {
                Some("{e}") => (Some(Entity::EmailAddress), self.mail()),
                Some("{p}") => (Some(Entity::PhoneNumber), self.phone()),
                Some("{c}") => (Some(Entity::CreditCard), self.card()),
                Some("{s}") => (Some(Entity::UsSsn), self.ssn()),
                Some("{i}") => (Some(Entity::IbanCode), self.iban()),
                Some("{a}") => (Some(Entity::IpAddress), self.address()),
                Some("{m}") => (Some(Entity::MacAddress), self.hardware()),
                Some("{u}") => (Some(Entity::Url), self.url()),
                Some("{w}") => (None, self.pick(WORDS).to_string()),
                Some("{n}") => (None, (10 + self.below(90)).to_string()),
                _ => {
                    text.push('{');
                    rest = &rest[at + 1..];
                    continue;
                }
            };
            if let Some(entity) = entity {
                // Quotes around an address belong to it, as in the reference.
                let quoted = entity == Entity::Url && text.ends_with('"');
                let (before, behind) = if quoted { (1, 1) } else { (0, 0) };
                spans.push((entity, text.len() - before, text.len() + value.len() + behind));
            }
            text.push_str(&value);
            rest = &rest[at + 3..];
        }
        text.push_str(rest);
        Labelled { text, spans }
    }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).unwrap_or(0)]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.below(10) as u8)).collect()
    }

    fn mail(&mut self) -> String {
        format!("{}@{}", self.pick(PEOPLE), self.pick(HOSTS))
    }

    fn url(&mut self) -> String {
        let (host, word) = (self.pick(HOSTS), self.pick(WORDS));
        match self.below(4) {
            0 => format!("https://{host}"),
            1 => format!("http://www.{host}/{word}"),
            2 => format!("www.{host}/{word}/{}", self.below(1_000)),
            _ => format!("https://{host}/{word}?id={}&x=1", self.below(1_000)),
        }
    }

    fn phone(&mut self) -> String {
        let (area, line) = (self.pick(&["212", "415", "312", "617", "702"]), self.digits(4));
        let exchange = format!("{}{}", 2 + self.below(8), 20 + self.below(79));
        match self.below(8) {
            0 => format!("({area}) {exchange}-{line}"),
            1 => format!("{area}-{exchange}-{line}"),
            2 => format!("+1 {area} {exchange} {line}"),
            3 => format!("{area}.{exchange}.{line}"),
            4 => format!("+44 20 7946 {line}"),
            5 => format!("+49 30 {}", 100_000 + self.below(899_999)),
            6 => format!("+33 1 42 68 {} {}", 10 + self.below(90), 10 + self.below(90)),
            _ => format!("020 7946 {line}"),
        }
    }

    fn card(&mut self) -> String {
        let (prefix, length) = self.pick(&[("4", 16), ("51", 16), ("55", 16), ("37", 15), ("6011", 16), ("35280", 16)]);
        let mut digits = format!("{prefix}{}", self.digits(length - 1 - prefix.len()));
        let sum: u32 = digits
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, byte)| {
                let digit = u32::from(byte - b'0');
                if place % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
            })
            .sum();
        digits.push_str(&((10 - sum % 10) % 10).to_string());
        match (self.below(3), length) {
            (0, _) | (_, 15) => digits,
            (1, _) => [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]].join(" "),
            _ => [&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]].join("-"),
        }
    }

    fn ssn(&mut self) -> String {
        let separator = self.pick(&["-", "-", " "]);
        format!("{}{separator}{}{separator}{}", 100 + self.below(500), 10 + self.below(89), 1_000 + self.below(8_999))
    }

    fn iban(&mut self) -> String {
        let (country, form) = self.pick(&[("DE", 18), ("ES", 20), ("AT", 16), ("BE", 12), ("PL", 24)]);
        let account = self.digits(form);
        let number: String = format!("{account}{country}00")
            .chars()
            .map(|c| c.to_digit(36).map_or(String::new(), |value| value.to_string()))
            .collect();
        let remainder = number.bytes().fold(0, |remainder, byte| (remainder * 10 + u32::from(byte - b'0')) % 97);
        let compact = format!("{country}{:02}{account}", 98 - remainder);
        if self.below(2) == 0 {
            return compact;
        }
        compact
            .as_bytes()
            .chunks(4)
            .map(|chunk| String::from_utf8_lossy(chunk).into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn address(&mut self) -> String {
        match self.below(4) {
            0 => format!("2001:db8::{:x}", 1 + self.below(60_000)),
            1 => format!("fe80::{:x}:{:x}", 1 + self.below(60_000), 1 + self.below(60_000)),
            _ => format!("{}.{}.{}.{}", 10 + self.below(200), self.below(256), self.below(256), 1 + self.below(254)),
        }
    }

    fn hardware(&mut self) -> String {
        let separator = self.pick(&[":", "-"]);
        (0..6).map(|_| format!("{:02X}", self.below(255))).collect::<Vec<_>>().join(separator)
    }
}
