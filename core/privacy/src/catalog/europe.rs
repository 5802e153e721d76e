//! Europe without Germany and the United Kingdom.

use super::{Anchor, Edge, Pattern};
use crate::Entity::{
    AtSocialSecurity, BeNationalNumber, ChAhv, EsNie, EsNif, EsPassport, FiPersonalIdentityCode, FrNir,
    ItDriverLicense, ItFiscalCode, ItIdentityCard, ItPassport, ItVatCode, NlBsn, PlPesel, PtNif, SeOrganisationsnummer,
    SePersonnummer,
};
use crate::check::europe;

/// Surname and first name, year, month and day (women add 40), municipality, control letter; digits may be replaced by
/// letters where two people would share a code.
const FISCAL: &str = "(?:[A-Z][AEIOU][AEIOUX]|[AEIOU]X{2}|[B-DF-HJ-NP-TV-Z]{2}[A-Z]){2}(?:[0-9LMNP-V]{2}(?:[A-EHLMPR-T](?:[04LQ][1-9MNP-V]|[15MR][0-9LMNP-V]|[26NS][0-8LMNP-U])|[DHPS][37PT][0L]|[ACELMRT][37PT][01LM]|[AC-EHLMPR-T][26NS][9V])|(?:[02468LNQSU][048LQU]|[13579MPRTV][26NS])B[26NS][9V])(?:[A-MZ][1-9MNP-V][0-9LMNP-V]{2}|[A-M][0L](?:[1-9MNP-V][0-9LMNP-V]|[0L][1-9MNP-V]))[A-Z]";

macro_rules! finnish {
    () => {
        "[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]"
    };
}

pub(super) const PATTERNS: &[Pattern] = &[
    Pattern::new(EsNif, 0.5, "[0-9]?[0-9]{7}-?[A-Z]").check(europe::es_nif),
    Pattern::new(EsNie, 0.5, "[X-Z]?[0-9]?[0-9]{7}-?[A-Z]").check(europe::es_nie),
    Pattern::new(EsPassport, 0.05, "[A-Z]{3}[0-9]{6}"),
    Pattern::new(ItFiscalCode, 0.3, FISCAL)
        .between(Edge::Any, Edge::Any)
        .at(Anchor::Inside)
        .check(europe::it_fiscal_code),
    Pattern::new(ItVatCode, 0.1, "(?:[0-9][ _]?){11}").check(europe::it_vat),
    Pattern::new(ItDriverLicense, 0.2, "(?:[A-Z]{2}[0-9]{7}[A-Z]|U1[B-HJ-NPR-UW-Z0-9]{7}[A-Z])"),
    Pattern::new(ItPassport, 0.01, "[A-Z]{2}[0-9]{7}"),
    Pattern::new(ItIdentityCard, 0.01, "[A-Z]{2}[ \t]?[0-9]{7}"),
    Pattern::new(ItIdentityCard, 0.01, "(?:[0-9]{7}[A-Z]{2}|[A-Z]{2}[0-9]{5}[A-Z]{2})"),
    Pattern::new(PlPesel, 0.4, "[0-9]{2}(?:[02468][1-9]|[13579][012])(?:0[1-9]|[12][0-9]|3[01])[0-9]{5}")
        .between(Edge::Any, Edge::Any)
        .at(Anchor::Digit)
        .check(europe::pl_pesel),
    Pattern::new(FiPersonalIdentityCode, 0.5, finnish!()).check(europe::fi_hetu),
    Pattern::new(FiPersonalIdentityCode, 0.1, finnish!())
        .between(Edge::Any, Edge::Any)
        .at(Anchor::Digit)
        .check(europe::fi_hetu),
    Pattern::new(SePersonnummer, 0.5, "[0-9]{6,8}[-+]?[0-9]{4}").check(europe::se_personnummer),
    Pattern::new(SePersonnummer, 0.1, "[0-9]{6,8}[-+]?[0-9]{4}")
        .between(Edge::Any, Edge::Any)
        .at(Anchor::Digit)
        .check(europe::se_personnummer),
    Pattern::new(SeOrganisationsnummer, 0.6, "[0-9]{6}-?[0-9]{4}").check(europe::se_organisation),
    Pattern::new(SeOrganisationsnummer, 0.2, "[0-9]{6}-?[0-9]{4}")
        .between(Edge::Any, Edge::Any)
        .at(Anchor::Digit)
        .check(europe::se_organisation),
    Pattern::new(
        FrNir,
        0.4,
        "[1278] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
    )
    .check(europe::fr_nir),
    Pattern::new(NlBsn, 0.05, "(?:[0-9]{9}|[0-9]{4}[. ][0-9]{2}[. ][0-9]{3})").check(europe::nl_bsn),
    Pattern::new(BeNationalNumber, 0.3, r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}-?[0-9]{3}\.?[0-9]{2}")
        .check(europe::be_national),
    Pattern::new(PtNif, 0.05, "[1-35-9][0-9]{2} ?[0-9]{3} ?[0-9]{3}").check(europe::pt_nif),
    Pattern::new(AtSocialSecurity, 0.1, "[1-9][0-9]{3} ?[0-3][0-9][01][0-9]{3}").check(europe::at_social_security),
    Pattern::new(ChAhv, 0.4, r"756(?:\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|[0-9]{10})").check(europe::ch_ahv),
];
