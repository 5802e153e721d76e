//! Germany.

use super::{Edge, Pattern};
use crate::Entity::{
    DeBsnr, DeFuehrerschein, DeHandelsregister, DeHealthInsurance, DeIdCard, DeKfz, DeLanr, DePassport, DePlz,
    DeSocialSecurity, DeTaxId, DeTaxNumber, DeVatId,
};
use crate::check::germany;

/// The letters of ICAO 9303 documents: none that look like digits, no vowels.
macro_rules! document {
    () => {
        "[CFGHJ-NPRTV-Z][CFGHJ-NPRTV-Z0-9]{7}[0-9]"
    };
}

macro_rules! district {
    () => {
        "(?:[A-Z]|Ä|Ö|Ü|ä|ö|ü){1,3}"
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new(DeTaxId, 0.5, "[1-9][0-9]{10}").check(germany::tax_id),
    Pattern::new(DeTaxNumber, 0.5, "(?:0[1-9]|1[0-6])[0-9]{11}"),
    Pattern::new(DeTaxNumber, 0.4, "[0-9]{3}/[0-9]{3}/[0-9]{5}").between(Edge::NoWord, Edge::NoWord),
    Pattern::new(DeTaxNumber, 0.2, "[0-9]{2,3}/[0-9]{3,4}/[0-9]{4,5}").between(Edge::NoWord, Edge::NoWord),
    Pattern::new(DeVatId, 0.5, "DE[0-9]{9}").check(germany::vat),
    Pattern::new(DeVatId, 0.4, r"DE[ \t.\-]?[0-9]{3}[ \t.\-]?[0-9]{3}[ \t.\-]?[0-9]{3}").check(germany::vat),
    Pattern::new(DePassport, 0.4, document!()).check(germany::passport),
    Pattern::new(DeIdCard, 0.4, document!()).check(germany::id_card),
    Pattern::new(DeIdCard, 0.5, "T[0-9]{8}").check(germany::id_card),
    Pattern::new(
        DeSocialSecurity,
        0.5,
        "[0-9]{2}(?:0[1-9]|[12][0-9]|3[01]|5[1-9]|[67][0-9]|8[01])(?:0[1-9]|1[0-2])[0-9]{2}[A-Z][0-9]{3}",
    )
    .check(germany::social_security),
    Pattern::new(DeSocialSecurity, 0.3, "[0-9]{8}[A-Z][0-9]{3}").check(germany::social_security),
    Pattern::new(DeHealthInsurance, 0.3, "[A-Z][0-9]{9}").check(germany::health_insurance),
    Pattern::new(DeLanr, 0.3, "[0-9]{9}").check(germany::lanr),
    Pattern::new(DeBsnr, 0.2, "[0-9]{9}").check(germany::bsnr),
    Pattern::new(DePlz, 0.05, "(?:0[1-9][0-9]{3}|[1-9][0-9]{4})").check(germany::postal_code),
    Pattern::new(DeKfz, 0.3, concat!(district!(), "[ \t][A-Z]{1,2}[ \t][0-9]{1,4}[EH]?"))
        .between(Edge::NoWordHyphen, Edge::NoWord),
    Pattern::new(DeKfz, 0.3, concat!(district!(), "-[A-Z]{1,2}[- \t][0-9]{1,4}[EH]?"))
        .between(Edge::NoWordHyphen, Edge::NoWord),
    Pattern::new(DeHandelsregister, 0.5, "HR[AB][ \t]{0,8}[0-9]{1,6}"),
    Pattern::new(DeFuehrerschein, 0.35, "[A-Z]{2}[0-9]{8}[A-Z0-9]"),
];
