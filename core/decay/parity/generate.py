"""Writes further reference answers in the form of the project's parity.json, for the sections that core/decay checks.

    python generate.py SEED > cases.json
    PARITY_CASES=$PWD/cases.json cargo test -p homeostat-decay --test parity

Needs scipy 1.17.1, river 0.26.1 and evidently 0.7.23.
"""

import json
import math
import random
import sys
import warnings

import numpy as np
import pandas as pd
from evidently.legacy.calculations.stattests import registry  # noqa: F401  (registers the tests)
from evidently.legacy.calculations.stattests.chisquare_stattest import _chi_stat_test
from evidently.legacy.calculations.stattests.hellinger_distance import _hellinger_distance
from evidently.legacy.calculations.stattests.jensenshannon import _jensenshannon
from evidently.legacy.calculations.stattests.kl_div import _kl_div
from evidently.legacy.calculations.stattests.mann_whitney_urank_stattest import _mannwhitneyu_rank
from evidently.legacy.calculations.stattests.psi import _psi
from evidently.legacy.calculations.stattests.utils import get_binned_data
from evidently.legacy.calculations.stattests.wasserstein_distance_norm import _wasserstein_distance_norm
from evidently.legacy.core import ColumnType
from river import drift
from scipy import stats
from scipy.spatial import distance

warnings.simplefilter("ignore")
seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
rng = np.random.default_rng(seed)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(inner) for inner in value]
    if isinstance(value, (np.integer, int)) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, (np.floating, float)):
        value = float(value)
        if math.isnan(value):
            return None
        return ("inf" if value > 0 else "-inf") if math.isinf(value) else value
    return value


def draw(kind, n, shift):
    x = {
        "normal": lambda: rng.normal(shift, 1, n),
        "wide": lambda: rng.normal(0, 1 + shift, n),
        "expon": lambda: rng.exponential(1 + shift, n),
        "lognormal": lambda: rng.lognormal(shift, 1, n),
        "beta": lambda: rng.beta(8, 2 + shift, n),
        "ints": lambda: rng.poisson(5 + shift, n).astype(float),
        "few": lambda: rng.integers(0, 4 + (shift > 0), n).astype(float),
        "binary": lambda: (rng.random(n) < 0.8 - min(shift, 1) / 4).astype(float),
        "large": lambda: -1e6 + 1e3 * rng.normal(shift, 1, n),
        "grid": lambda: np.round(rng.normal(shift, 1, n), 1),
    }[kind]()
    return [float(f"{value:.6g}") for value in x]


def sample_case(kind, n, m, shift):
    a, b = draw(kind, n, 0.0), draw(kind, m, shift)
    case = {"name": f"{kind}-{n}-{m}-{shift}", "a": a, "b": b}
    ks = stats.ks_2samp(a, b)
    case["ks"] = {
        "stat": ks.statistic,
        "p_auto": ks.pvalue,
        "loc": ks.statistic_location,
        "sign": ks.statistic_sign,
        "p_asymp": stats.ks_2samp(a, b, method="asymp").pvalue,
    }
    if n * m < 2e6:
        case["ks"]["p_exact"] = stats.ks_2samp(a, b, method="exact").pvalue
    case["wasserstein"] = stats.wasserstein_distance(a, b)
    case["energy_distance"] = stats.energy_distance(a, b)
    for name, options in (
        ("mwu_auto", {}),
        ("mwu_asymp_cc", {"method": "asymptotic"}),
        ("mwu_asymp", {"method": "asymptotic", "use_continuity": False}),
    ):
        found = stats.mannwhitneyu(a, b, **options)
        case[name] = [found.statistic, found.pvalue]
    found = stats.ttest_ind(a, b, equal_var=False)
    case["welch_t"] = [found.statistic, found.pvalue]
    if min(n, m) >= 2:
        found = stats.cramervonmises_2samp(a, b)
        case["cvm2"] = [found.statistic, found.pvalue]
    ra, rb = pd.Series(a), pd.Series(b)
    number = ColumnType.Numerical
    ref, cur = get_binned_data(ra, rb, number, 30)
    case["evidently_bins"] = {"ref": ref, "cur": cur}
    raw_ref, raw_cur = get_binned_data(ra, rb, number, 30, False)
    case["psi_evidently"] = _psi(ra, rb, number, 0.1)[0]
    case["kl_evidently"] = _kl_div(ra, rb, number, 0.1)[0]
    case["js_evidently_base_e"] = _jensenshannon(ra, rb, number, 0.1)[0]
    case["js_base2"] = distance.jensenshannon(raw_ref, raw_cur, 2)
    case["hellinger"] = math.sqrt(max(0.0, 1 - np.sum(np.sqrt(raw_ref * raw_cur))))
    case["tvd"] = 0.5 * np.sum(np.abs(raw_ref - raw_cur))
    case["wasserstein_norm_evidently"] = _wasserstein_distance_norm(ra, rb, number, 0.1)[0]
    case["evidently"] = {
        "ks_p": ks.pvalue,
        "hellinger": _hellinger_distance(ra.copy(), rb.copy(), number, 0.1)[0],
        "mwu_p": _mannwhitneyu_rank(ra, rb, number, 0.05)[0],
    }
    if ra.nunique() <= 20:
        case["evidently"]["chisquare_p_cat"] = _chi_stat_test(ra, rb, ColumnType.Categorical, 0.05)[0]
    return case


def table_case():
    rows, columns = rng.integers(2, 5), rng.integers(2, 7)
    table = rng.integers(1, int(rng.choice([8, 60, 800])), (rows, columns))
    yates, plain_chi = stats.chi2_contingency(table), stats.chi2_contingency(table, correction=False)
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    k = rng.integers(2, 9)
    observed = rng.integers(1, 500, k)
    expected = rng.dirichlet(np.ones(k) * 3) * observed.sum()
    fit = stats.chisquare(observed, expected)
    case = {
        "table": table,
        "chi2_yates_default": [yates.statistic, yates.pvalue, yates.dof],
        "chi2_nocorr": [plain_chi.statistic, plain_chi.pvalue, plain_chi.dof],
        "g_test": [g.statistic, g.pvalue],
        "expected": yates.expected_freq,
        "gof_obs": observed,
        "gof_exp": expected,
        "gof": [fit.statistic, fit.pvalue],
    }
    if table.shape == (2, 2):
        found = stats.fisher_exact(table)
        case["fisher"] = [found.statistic, found.pvalue]
    return case


def shares_case():
    k = rng.integers(2, 25)
    p, q = rng.random(k) * (rng.random(k) < 0.8), rng.random(k) * (rng.random(k) < 0.8)
    p[0] += 0.1
    q[-1] += 0.1
    return {
        "p": p,
        "q": q,
        "js_e": distance.jensenshannon(p, q),
        "js_2": distance.jensenshannon(p, q, 2),
        "entropy_p": stats.entropy(p),
        "kl_pq": stats.entropy(p, q),
    }


def indices(detector, stream, both=False):
    drifts, alerts = [], []
    for index, value in enumerate(stream):
        detector.update(value)
        if detector.drift_detected:
            drifts.append(index)
        if both and detector.warning_detected:
            alerts.append(index)
    return {"drift": drifts, "warning": alerts} if both else drifts


def numeric_case(kind, n):
    level = {"stable": [0.0], "abrupt": [0.0, 1.5], "back": [0.0, 2.0, 0.0], "tiny": [0.0, 0.3]}[kind]
    scale, offset = float(rng.choice([0.05, 1.0, 30.0])), float(rng.choice([0.0, 0.8, -400.0]))
    x = [float(f"{offset + scale * (level[i * len(level) // n] + rng.normal()):.6g}") for i in range(n)]
    adwin, trace = drift.ADWIN(), []
    for index, value in enumerate(x):
        adwin.update(value)
        if index % 100 == 99:
            trace.append([index, int(adwin.width), adwin.total, adwin.variance, adwin.estimation, adwin.n_detections])
    return {
        "kind": kind,
        "x": x,
        "adwin_default": indices(drift.ADWIN(), x),
        "adwin_d.05_c1": indices(drift.ADWIN(delta=0.05, clock=1), x),
        "adwin_mb3_g50": indices(drift.ADWIN(max_buckets=3, grace_period=50, min_window_length=10), x),
        "adwin_trace": trace,
        "ph_default": indices(drift.PageHinkley(), x),
        "ph_t1": indices(drift.PageHinkley(threshold=1), x),
        "ph_t.5_up": indices(drift.PageHinkley(threshold=0.5, mode="up"), x),
        "ph_t.5_down": indices(drift.PageHinkley(threshold=0.5, mode="down"), x),
        "ph_a1_t2": indices(drift.PageHinkley(min_instances=50, delta=0.01, threshold=2, alpha=1.0), x),
        "kswin_seed42": indices(drift.KSWIN(seed=42), x),
        "kswin_a.0001_w200_s50_seed7": indices(drift.KSWIN(alpha=0.0001, window_size=200, stat_size=50, seed=7), x),
    }


def binary_case(kind, n):
    rates = {"stable": [0.2], "jump": [0.1, 0.4], "better": [0.5, 0.1], "rare": [0.01, 0.05], "often": [0.9, 0.97]}[kind]
    x = [int(rng.random() < rates[i * len(rates) // n]) for i in range(n)]
    binary = drift.binary
    return {
        "kind": kind,
        "x": "".join(map(str, x)),
        "ddm": indices(binary.DDM(), x, True),
        "ddm_w50": indices(binary.DDM(50, 1.5, 2.5), x, True),
        "eddm": indices(binary.EDDM(), x, True),
        "hddm_a": indices(binary.HDDMA(), x, True),
        "hddm_a_two": indices(binary.HDDMA(two_sided_test=True), x, True),
        "hddm_w": indices(binary.HDDMW(), x, True),
        "hddm_w_two": indices(binary.HDDMW(two_sided_test=True), x, True),
        "fhddm": indices(binary.FHDDM(), x),
        "adwin": indices(drift.ADWIN(), x),
    }


sizes = [(1, 1), (2, 3), (3, 3), (8, 8), (7, 30), (5, 400), (20, 20), (19, 20), (30, 30), (60, 45), (100, 100), (137, 99)]
sizes += [(140, 2000), (500, 500), (1000, 600), (3000, 2500)]
kinds = ["normal", "wide", "expon", "lognormal", "beta", "ints", "few", "binary", "large", "grid"]
cases = [
    sample_case(str(rng.choice(kinds)), n, m, float(rng.choice([0.0, 0.1, 0.3, 1.0, 3.0]))) for n, m in sizes for _ in range(4)
]
cases += [sample_case("normal", 12000, 9000, 0.0), sample_case("normal", 12000, 9000, 0.1), sample_case("normal", 400, 300, 5.0)]
draws = {}
for number in [seed, 2**31 + seed, 2**40 + seed]:
    generator = random.Random(number)
    draws[f"seed{number}_getrandbits32_first8"] = [generator.getrandbits(32) for _ in range(8)]
    generator = random.Random(number)
    draws[f"seed{number}_sample_range70_30_first3"] = [generator.sample(range(70), 30) for _ in range(3)]
    generator = random.Random(number)
    draws[f"seed{number}_sample_range5000_20_first3"] = [generator.sample(range(5000), 20) for _ in range(3)]
print(
    json.dumps(
        plain(
            {
                "meta": {"seed": seed},
                "drift_two_sample": {"cases": cases},
                "chi2": [table_case() for _ in range(60)],
                "jensenshannon": [shares_case() for _ in range(40)],
                "river_numeric": [numeric_case(kind, 1200) for kind in ("stable", "abrupt", "back", "tiny") for _ in range(4)],
                "river_binary": [binary_case(kind, 3000) for kind in ("stable", "jump", "better", "rare", "often") for _ in range(3)],
                "python_mt": draws,
            }
        )
    )
)
