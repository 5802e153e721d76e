//! The Americas, Africa, Oceania and the Philippines.

use super::Pattern;
use crate::Entity::{
    AbaRoutingNumber, AuAbn, AuAcn, AuMedicare, AuTfn, BrCnpj, BrCpf, CaPostalCode, CaSin, MedicalLicense, NgNin,
    NgVehicleRegistration, PhPassport, PhTin, PhUmid, UsBankNumber, UsDriverLicense, UsItin, UsMbi, UsNpi, UsPassport,
    UsSsn, ZaIdNumber,
};
use crate::catalog::{Anchor, Edge};
use crate::check::{americas, oceania};

/// Middle digits of an ITIN: 50 to 65, 70 to 88, 90 to 92, 94 to 99.
macro_rules! itin {
    () => {
        "(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])"
    };
}

/// Letters of a Medicare number: none that look like digits.
macro_rules! letter {
    () => {
        "[AC-HJ-KM-NP-RT-Y]"
    };
}

macro_rules! either {
    () => {
        "[0-9AC-HJ-KM-NP-RT-Y]"
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new(AbaRoutingNumber, 0.05, "[0123678][0-9]{8}").check(americas::us_routing),
    Pattern::new(AbaRoutingNumber, 0.3, "[0123678][0-9]{3}-[0-9]{4}-[0-9]").check(americas::us_routing),
    Pattern::new(MedicalLicense, 0.4, "[abcdefghjklmprstux](?:[a-z]|9)[0-9]{7}")
        .between(Edge::Any, Edge::Any)
        .at(Anchor::Licence)
        .check(americas::us_dea),
    Pattern::new(UsBankNumber, 0.05, "[0-9]{8,17}"),
    Pattern::new(
        UsDriverLicense,
        0.3,
        "(?:[A-Z][0-9]{1,14}|[A-Z][0-9]{18}|[A-Z]{2}[0-9]{3,7}|[0-9]{2}[A-Z]{3}[0-9]{5,6}|[A-Z][0-9]{6}R|[0-9]{9}[A-Z]|[A-Z]{2}[0-9]{6}[A-Z]|[0-9]{8}[A-Z]{2}|[0-9]{3}[A-Z]{2}[0-9]{4}|[A-Z][0-9][A-Z][0-9][A-Z]|[0-9]{7,8}[A-Z])",
    ),
    Pattern::new(UsDriverLicense, 0.01, "(?:[0-9]{6,14}|[0-9]{16})"),
    Pattern::new(UsItin, 0.05, concat!("9[0-9]{2}(?:[- ]", itin!(), "|", itin!(), "[- ])[0-9]{4}")),
    Pattern::new(UsItin, 0.3, concat!("9[0-9]{2}", itin!(), "[0-9]{4}")),
    Pattern::new(UsItin, 0.5, concat!("9[0-9]{2}[- ]", itin!(), "[- ][0-9]{4}")),
    Pattern::new(
        UsMbi,
        0.3,
        concat!(
            "[0-9]",
            letter!(),
            either!(),
            "[0-9]",
            letter!(),
            either!(),
            "[0-9]",
            letter!(),
            letter!(),
            "[0-9]{2}"
        ),
    ),
    Pattern::new(
        UsMbi,
        0.5,
        concat!(
            "[0-9]",
            letter!(),
            either!(),
            "[0-9]-",
            letter!(),
            either!(),
            "[0-9]-",
            letter!(),
            letter!(),
            "[0-9]{2}"
        ),
    ),
    Pattern::new(UsNpi, 0.1, "[12][0-9]{9}").check(americas::us_npi),
    Pattern::new(UsNpi, 0.4, "[12][0-9]{3}[ -][0-9]{3}[ -][0-9]{3}").check(americas::us_npi),
    Pattern::new(UsPassport, 0.05, "[0-9]{9}"),
    Pattern::new(UsPassport, 0.1, "[A-Z][0-9]{8}"),
    Pattern::new(UsSsn, 0.05, "[0-9]{5}-[0-9]{4}").check(americas::us_ssn),
    Pattern::new(UsSsn, 0.05, "[0-9]{3}-[0-9]{6}").check(americas::us_ssn),
    Pattern::new(UsSsn, 0.05, "[0-9]{9}").check(americas::us_ssn),
    Pattern::new(UsSsn, 0.5, "[0-9]{3}[- .][0-9]{2}[- .][0-9]{4}").check(americas::us_ssn),
    Pattern::new(CaSin, 0.05, "[1-79][0-9]{8}").check(americas::ca_sin),
    Pattern::new(CaSin, 0.5, "[1-79][0-9]{2}[- ][0-9]{3}[- ][0-9]{3}").check(americas::ca_sin),
    Pattern::new(CaPostalCode, 0.3, "[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z] [0-9][ABCEGHJ-NPRSTV-Z][0-9]"),
    Pattern::new(CaPostalCode, 0.1, "[ABCEGHJ-NPRSTVXY][0-9][ABCEGHJ-NPRSTV-Z][0-9][ABCEGHJ-NPRSTV-Z][0-9]"),
    Pattern::new(BrCpf, 0.3, "[0-9]{11}").check(americas::br_cpf),
    Pattern::new(BrCpf, 0.5, r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}").check(americas::br_cpf),
    Pattern::new(BrCnpj, 0.3, "[0-9]{14}").check(americas::br_cnpj),
    Pattern::new(BrCnpj, 0.5, r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}").check(americas::br_cnpj),
    Pattern::new(ZaIdNumber, 0.2, "[0-9]{10}[0-2][89][0-9]").check(americas::za_id),
    Pattern::new(NgNin, 0.01, "[0-9]{11}").check(americas::ng_nin),
    Pattern::new(NgVehicleRegistration, 0.5, "[A-Z]{3}[- ]?[0-9]{3}[A-Z]{2}"),
    Pattern::new(PhTin, 0.05, "[0-9]{3}-[0-9]{3}-[0-9]{3}(?:-[0-9]{3})?").check(americas::ph_tin),
    Pattern::new(PhTin, 0.01, "(?:[0-9]{9}|[0-9]{12})").check(americas::ph_tin),
    Pattern::new(PhUmid, 0.5, "[0-9]{4}-[0-9]{7}-[0-9]"),
    Pattern::new(PhUmid, 0.3, "[0-9]{12}"),
    Pattern::new(PhPassport, 0.1, "(?:[A-Z][0-9]{7}[A-Z]|[A-Z]{2}[0-9]{7})"),
    Pattern::new(AuAbn, 0.1, "[0-9]{2}[ \t][0-9]{3}[ \t][0-9]{3}[ \t][0-9]{3}").check(oceania::abn),
    Pattern::new(AuAbn, 0.01, "[0-9]{11}").check(oceania::abn),
    Pattern::new(AuAcn, 0.1, "[0-9]{3}[ \t][0-9]{3}[ \t][0-9]{3}").check(oceania::acn),
    Pattern::new(AuAcn, 0.01, "[0-9]{9}").check(oceania::acn),
    Pattern::new(AuTfn, 0.1, "[0-9]{3}[ \t][0-9]{3}[ \t][0-9]{3}").check(oceania::tfn),
    Pattern::new(AuTfn, 0.01, "[0-9]{9}").check(oceania::tfn),
    Pattern::new(AuMedicare, 0.1, "[2-6][0-9]{3}[ \t][0-9]{5}[ \t][0-9]").check(oceania::medicare),
    Pattern::new(AuMedicare, 0.01, "[2-6][0-9]{9}").check(oceania::medicare),
];
