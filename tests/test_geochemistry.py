from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mpm3d.errors import FormatError, StudyError
from mpm3d.geochemistry import (
    ATOMIC_MASSES,
    Reading,
    coordinates,
    element_share,
    formula_of,
    parse,
    read_assays,
)

# oxide / element, printed for the electron microprobe of Victoria University of Wellington
# (jepspectro.com/electron_microprobe/oxide_conversion.htm; with the titanium of 1969)
FACTORS = {
    "SiO2": 2.1395, "TiO2": 1.6681, "Al2O3": 1.8893, "Fe2O3": 1.4298, "FeO": 1.2865,
    "MnO": 1.2912, "Mn3O4": 1.3883,
    "MnO2": 1.5825, "MgO": 1.6581, "CaO": 1.3992, "Na2O": 1.3479, "K2O": 1.2045, "P2O5": 2.2915,
}  # fmt: skip

# element / oxide to four digits, by hand from the weights of IUPAC 2013 (doi 10.1515/pac-2015-0305); for ores
# the factors that their reports use: 0.4645 for lithia, 0.8480 for U3O8, 0.7930 for WO3 and so on
SHARES = {
    "Li2O": 0.4645, "BeO": 0.3603, "B2O3": 0.3106, "Sc2O3": 0.6520, "V2O5": 0.5602, "Cr2O3": 0.6842,
    "CoO": 0.7865, "NiO": 0.7858, "CuO": 0.7989, "Cu2O": 0.8882, "ZnO": 0.8034, "Rb2O": 0.9144,
    "SrO": 0.8456, "Y2O3": 0.7874, "ZrO2": 0.7403, "Nb2O5": 0.6990, "MoO3": 0.6666, "SnO2": 0.7877,
    "Sb2O3": 0.8354, "Cs2O": 0.9432, "BaO": 0.8957, "La2O3": 0.8527, "CeO2": 0.8141, "Pr6O11": 0.8277,
    "Nd2O3": 0.8573, "Sm2O3": 0.8624, "Dy2O3": 0.8713, "Yb2O3": 0.8782, "HfO2": 0.8480, "Ta2O5": 0.8190,
    "WO3": 0.7930, "PbO": 0.9283, "ThO2": 0.8788, "UO2": 0.8815, "U3O8": 0.8480, "SO3": 0.4005,
}  # fmt: skip


def table(**columns):
    rows = len(next(iter(columns.values())))
    return pd.DataFrame({"x": np.arange(rows) * 100.0 + 5e5, "y": np.arange(rows) * 50.0 + 6e6} | columns)


def said(made, about):
    return " ".join(f.sentence for f in made.findings if f.about == about)


@pytest.mark.parametrize(("oxide", "factor"), FACTORS.items())
def test_an_oxide_holds_the_share_of_the_element_that_laboratories_print(oxide, factor):
    assert 1 / element_share(oxide)[1] == pytest.approx(factor, abs=4e-4)


@pytest.mark.parametrize(("oxide", "share"), SHARES.items())
def test_an_oxide_of_a_rarer_element_holds_the_share_that_its_weights_give(oxide, share):
    assert element_share(oxide)[1] == pytest.approx(share, abs=6e-5)


def test_masses_are_those_of_the_elements_that_are_assayed():
    assert len(ATOMIC_MASSES) == 78  # all up to uranium but noble gases and those without a stable isotope
    assert ATOMIC_MASSES["Yb"] == 173.05  # changed in 2015
    assert element_share("Cu") == ("Cu", 1.0)


@pytest.mark.parametrize("word", ["O18", "LOI", "FeS2", "DEM", "Total", "O2", "Xx2O3", ""])
def test_what_is_no_oxide_has_no_formula_and_no_share(word):
    assert formula_of(word) == formula_of(word, any_case=True) == ""
    with pytest.raises(ValueError, match="neither an element nor an oxide"):
        element_share(word)


@pytest.mark.parametrize(
    ("name", "formula", "unit"),
    [
        ("Cu_ppm", "Cu", "ppm"), ("Au (ppb)", "Au", "ppb"), ("Fe2O3 wt%", "Fe2O3", "wt%"),
        ("Ag_g/t", "Ag", "g/t"),
        ("AU_FA_PPB", "Au", "ppb"), ("CO_PPM", "Co", "ppm"), ("MgO__", "MgO", "%"), ("MgO [%]", "MgO", "%"),
        ("SIO2_PCT", "SiO2", "%"), ("Zn mg/kg", "Zn", "mg/kg"), ("Cu", "Cu", ""), ("Cu (2)", "Cu", ""),
        ("Pb_wt_pct", "Pb", "%"), ("sample_no", "", ""), ("SA_TMI_mean", "", ""), ("H2O_minus_", "", ""),
        ("Total__", "", "%"), ("O18__", "", "%"), ("In situ", "", ""),
    ],
)  # fmt: skip
def test_names_of_columns_say_formula_and_unit(name, formula, unit):
    found = parse(name)
    assert found.formula == formula
    assert found.unit == unit or not formula


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["X", "Y", "Cu"], ("X", "Y")),
        (["lon_gda94", "lat_gda94", "Y"], ("lon_gda94", "lat_gda94")),
        (["Easting (m)", "Northing (m)"], ("Easting (m)", "Northing (m)")),
        (["La", "Y"], ("", "")),
        (["grad_x", "grad_y"], ("", "")),
        (["Y_ppm", "x"], ("", "")),
    ],
)
def test_coordinates_are_found_by_name_and_yttrium_is_none(names, expected):
    assert coordinates(names) == expected


def test_censored_values_are_replaced_and_marked():
    made = read_assays(table(Cu_ppm=["<4", "12.5", "> 100", "≤ 8", "7", "9"]))
    assert made.values["Cu_ppm"].tolist() == pytest.approx([3.0, 12.5, 133.3, 6.0, 7, 9], rel=1e-15)
    assert made.censored["Cu_ppm"].tolist() == [-1, 0, 1, -1, 0, 0]
    assert "2 values of 1 column given as <x ('Cu_ppm'), replaced by 0.75 x." in made.said()
    half = read_assays(table(Cu_ppm=["<4", "1", "2"]), Reading(below=0.5))
    assert half.values["Cu_ppm"][0] == 2.0


def test_words_for_nothing_are_missing_and_strange_ones_are_named():
    words = ["n.a.", "BDL", "ND", "", "NA", "see note", "5", "7", "8", "9", "<LOD", "<-3"]
    made = read_assays(table(Cu_ppm=words, Pb_ppm=[1.0] * 12))
    assert made.values["Cu_ppm"].notna().tolist() == [word in "5789" and word != "" for word in words]
    assert not made.censored["Cu_ppm"].any()
    assert "3 cells of 'Cu_ppm' say that nothing was detected" in said(made, "sentinel")
    assert "2 cells of 'Cu_ppm' hold words that are no numbers, such as '<-3', 'see note'" in said(
        made, "sentinel"
    )


@pytest.mark.parametrize("code", [-9999.0, -999.0, -99.0, -1e30, 1e20])
def test_codes_for_missing_are_found_in_elements_whatever_their_range(code):
    made = read_assays(table(Cu_ppm=[50_000.0, 3, code, 12, code], dem=[1.0, 2, 3, 4, 5]))
    assert made.values["Cu_ppm"].isna().tolist() == [False, False, True, False, True]
    assert f"{code:g} stands for missing in 2 rows of 1 column ('Cu_ppm'), 2 values" in said(made, "sentinel")


def test_declared_codes_are_missing_too():
    made = read_assays(table(Cu_ppm=[5.0, 3, 7.77, 12, 7.77]), Reading(nodata=[7.77]))
    assert made.values["Cu_ppm"].isna().sum() == 2


def test_negative_assays_are_missing_or_limits():
    given = table(Cu_ppm=[5.0, 3, -4, 12], tilt=[-0.1, -0.2, 0.3, 0.4])
    made = read_assays(given)
    assert np.isnan(made.values["Cu_ppm"][2])
    assert made.values["tilt"].tolist() == [-0.1, -0.2, 0.3, 0.4]
    assert 'If -5 means <5 there, read with negatives = "censored"' in said(made, "impossible")
    made = read_assays(given, Reading(negatives="censored"))
    assert made.values["Cu_ppm"][2] == 3.0
    assert made.censored["Cu_ppm"].tolist() == [0, 0, -1, 0]


def test_zeros_are_said_and_missing_where_asked():
    given = table(Cu_ppm=[0.0, 3, 0, 12], slope=[0.0, 1, 2, 3])
    kept = read_assays(given)
    assert kept.values["Cu_ppm"][0] == 0
    assert "2 zeros in 1 column of elements, most in 'Cu_ppm' (2 of 4 rows)" in said(kept, "zeros")
    made = read_assays(given, Reading(zeros="missing"))
    assert made.values["Cu_ppm"].isna().sum() == 2
    assert made.values["slope"][0] == 0


def test_units_and_oxides_become_elements_in_one_unit():
    given = table(Au_ppb=[1500.0, 20], Zn_pct=[0.5, 2], MgO_pct=[10.0, 20], Ag_gpt=[3.0, 4], dem=[1.0, 2])
    made = read_assays(given, Reading(unit="ppm", oxides="elements"))
    assert list(made.values) == ["Au", "Zn", "Mg", "Ag", "dem"]
    assert made.values["Au"].tolist() == pytest.approx([1.5, 0.02])
    assert made.values["Zn"].tolist() == pytest.approx([5000, 20000])
    # 24.305 / (24.305 + 15.999) by hand
    assert made.values["Mg"].tolist() == pytest.approx([60304.2, 120608.4], rel=1e-5)
    assert made.units["Mg"] == "ppm"
    assert made.units["dem"] == ""
    assert made.values["dem"].tolist() == [1, 2]


def test_units_stay_as_they_are_where_nothing_is_asked():
    made = read_assays(table(Au_ppb=[1500.0, 20]))
    assert made.values["Au_ppb"].tolist() == [1500, 20]
    assert made.units == {"Au_ppb": "ppb"}


def test_an_unknown_unit_is_refused_where_one_is_needed():
    with pytest.raises(StudyError, match=r"the unit of 'Cu' is not known, so it cannot be made ppm"):
        read_assays(table(Cu=[1.0, 2]), Reading(unit="ppm"))
    made = read_assays(table(Cu=[1.0, 2]), Reading(unit="ppm", units={"Cu": "%"}))
    assert made.values["Cu"].tolist() == [1e4, 2e4]


def test_amounts_above_100_percent_leave_the_column_out_or_the_value():
    few = [1.0] * 200 + [150.0]
    made = read_assays(table(MgO__=[20.0, 300, 400, 5], Zn_pct=[1.0, 2, 3, 4]))
    assert made.values["MgO__"].isna().all()
    assert "'MgO__' is read as % and 2 values would be more than 100 % (up to 400 %)" in said(
        made, "impossible"
    )
    made = read_assays(table(Zn_pct=few))
    assert made.values["Zn_pct"].notna().sum() == 200


def test_an_element_given_twice_is_completed_where_both_agree():
    given = table(Cu_ppm=[100.0, 200, np.nan, 400], Cu_pct=["0.01", "0.02", "<0.04", ""])
    made = read_assays(given, Reading(unit="ppm"))
    assert made.values["Cu"].tolist() == pytest.approx([100, 200, 300, 400])
    assert made.censored["Cu"].tolist() == [0, 0, -1, 0]
    assert "they agree (2 rows), 1 value of 'Cu_pct' complete 'Cu_ppm'" in said(made, "twice")
    plain = read_assays(given)
    assert "1 element given twice (Cu: Cu_ppm and Cu_pct)" in said(plain, "twice")


def test_an_element_given_twice_is_not_mixed_where_both_differ():
    given = table(Al_ppm=[100.0, 200, np.nan, 400], Al2O3_ppm=[19.0, 40, 60, np.nan])
    made = read_assays(given, Reading(oxides="elements"))
    assert made.values["Al"].isna().tolist() == [False, False, True, False]
    assert "they differ by a factor of 0.103 in the median, only 'Al_ppm' is used" in said(made, "twice")


def test_different_oxides_of_one_metal_and_different_units_are_not_mixed():
    given = table(
        Fe2O3_pct=[1.0, 2, 3], FeO_pct=[1.0, np.nan, 1], Cu_ppm=[1.0, 2, np.nan], Cu_pct=[np.nan, 1, 2]
    )
    made = read_assays(given, Reading(oxides="elements"))
    assert "'Fe2O3_pct' and 'FeO_pct' are different oxides of Fe" in said(made, "twice")
    assert "their units are not the same, only 'Cu_ppm' is used" in said(made, "twice")
    assert made.values["Fe"].tolist() == pytest.approx([0.69943, 1.39886, 2.09829], rel=1e-4)


def test_repeated_names_of_columns_are_told_apart():
    given = pd.DataFrame([[1.0, 2, 2, 5], [3.0, 4, 4, 6]], columns=["Cu_ppm", "Pb_ppm", "Pb_ppm", "Cu_ppm"])
    made = read_assays(given)
    assert list(made.values) == ["Cu_ppm", "Pb_ppm", "Cu_ppm (2)"]
    assert "2 column names repeated: 'Cu_ppm', 'Pb_ppm'; kept as 'Cu_ppm (2)'" in said(made, "columns")
    assert "Cu: Cu_ppm and Cu_ppm (2)" in said(made, "twice")


def test_a_vector_that_a_quarter_of_the_rows_share_is_found(rng):
    values = rng.lognormal(size=(100, 4))
    rows = rng.choice(100, 25, replace=False)
    values[rows] = (1.5, 2.5, 3.5, 4.5)
    values[[90, 91], 0] = 1.5  # by chance
    free = rng.normal(size=100)
    given = table(**dict(zip(["Cu", "Pb", "Zn", "Ag"], values.T, strict=True)), dem=free)
    made = read_assays(given)
    expected = np.zeros((100, 5), bool)
    expected[rows, :4] = True
    np.testing.assert_array_equal(made.filled.to_numpy(), expected)
    assert "25 of 100 rows (25 %) hold the same values in all of 4 columns ('Cu', 'Pb', 'Zn', 'Ag')" in said(
        made, "fill"
    )
    assert made.values["Cu"].notna().all()
    without = read_assays(given, Reading(fill="missing"))
    np.testing.assert_array_equal(without.values.isna().to_numpy(), expected)


def test_classes_zeros_and_single_columns_are_no_shared_vector(rng):
    flags = (rng.random(100) < 0.5) * 1.0
    zeros = np.where(rng.random(100) < 0.5, 0.0, rng.lognormal(size=100))
    alone = np.where(rng.random(100) < 0.3, 0.25, rng.lognormal(size=100))
    made = read_assays(table(a=flags, b=flags, c=flags, Cu=zeros, Pb=zeros * 2, Zn=zeros * 3, Ag=alone))
    assert not made.filled.to_numpy().any()
    assert not said(made, "fill")


def test_missing_and_impossible_coordinates_have_no_place():
    given = pd.DataFrame({"lon": ["139.5", "", "-9999", "999", "0", "139.6"],
                          "lat": [-30, -30, -30, -30, 0, -95],
                          "Cu": [1.0, 2, 3, 4, 5, 6]})  # fmt: skip
    made = read_assays(given)
    assert np.isfinite(made.xy).all(axis=1).tolist() == [True, False, False, False, False, False]
    assert made.degrees
    assert "1 row with no coordinates in 'lon', 'lat' (row 2)" in said(made, "coordinates")
    assert "4 rows with impossible coordinates in 'lon', 'lat' (row 3, 4, 5, 6)" in said(made, "coordinates")
    assert "need them projected to metres" in said(made, "coordinates")


def test_a_table_without_coordinates_says_what_that_forbids():
    made = read_assays(pd.DataFrame({"Cu": [1.0, 2], "Pb": [3.0, 4]}))
    assert np.isnan(made.xy).all()
    assert "no columns of coordinates" in said(made, "coordinates")
    named = read_assays(
        pd.DataFrame({"a": [5e5, 5e5 + 9], "b": [6e6, 6e6], "Cu": [1.0, 2]}), Reading(x="a", y="b")
    )
    assert named.xy.tolist() == [[5e5, 6e6], [5e5 + 9, 6e6]]
    assert not named.degrees


def test_shared_sites_and_repeated_rows_are_counted():
    given = pd.DataFrame({"x": [5e5, 5e5, 5e5, 6e5], "y": [6e6] * 4, "Cu": [1.0, 1, 2, 3]})
    made = read_assays(given)
    text = "2 rows stand at the place of an earlier one (1 site shared); 1 of them repeat its values too."
    assert text in said(made, "sites")


def test_a_column_without_values_is_said():
    made = read_assays(table(Cu_ppm=[1.0, 2], F_ppm=["", ""]))
    assert "1 column without any value: 'F_ppm'." in made.said()


def test_labels_and_numbers_of_samples_are_no_assays():
    made = read_assays(table(sample_no=[1, 2], label=[0, 1], lithology=["granite", "schist"], Cu=[1.0, 2]))
    assert list(made.values) == ["Cu"]
    assert list(made.other) == ["sample_no", "label", "lithology"]
    with pytest.raises(StudyError, match="no column of 'x', 'y', 'label' holds assays"):
        read_assays(table(label=[0, 1]))


def test_a_text_table_is_read_as_the_same_numbers_however_it_is_written(tmp_path):
    plain = tmp_path / "a.csv"
    plain.write_text('x,y,Cu_ppm,note\n500000,6000000,0.5,"a, b"\n500100,6000000,<2,c\n', encoding="utf-8")
    comma = tmp_path / "b.csv"
    comma.write_bytes("\ufeffx;y;Cu_ppm;note\r\n500000;6000000;0,5;a\r\n500100;6000000;<2,0;c\r\n".encode())
    one, two = read_assays(plain), read_assays(comma)
    assert one.values["Cu_ppm"].tolist() == two.values["Cu_ppm"].tolist() == [0.5, 1.5]
    np.testing.assert_array_equal(one.xy, two.xy)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has one column"),
        ("x,y,Cu\n", "there are no rows below"),
        ("x,y,Cu\n1,2,3\n1,2", r"line 3: this row has 2 cells, the first one 3. The file may be truncated"),
        ("just words\n", "has one column"),
    ],
)
def test_broken_files_are_refused(tmp_path, text, message):
    path = tmp_path / "broken.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=message):
        read_assays(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": ["Sn"]}, "the table has no column 'Sn'. It has 'x', 'y', 'Cu'"),
        ({"x": "x"}, "name both columns, or none"),
    ],
)
def test_settings_that_do_not_fit_the_table_are_refused(settings, message):
    with pytest.raises(StudyError, match=message):
        read_assays(table(Cu=[1.0, 2]), Reading(**settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"below": 0}, "below = 0 must be above 0"),
        ({"above": 0.5}, "above = 0.5 must be 1 or more"),
        ({"unit": "oz"}, "unit 'oz' is not known"),
        ({"zeros": "drop"}, "zeros = 'drop' must be 'keep' or 'missing'"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(StudyError, match=message):
        Reading(**settings)
    with pytest.raises(StudyError, match="the table has no rows"):
        read_assays(pd.DataFrame({"Cu": []}))


def test_reading_leaves_the_given_table_alone():
    given = table(Cu_ppm=["<4", "0", "-9999", "3"])
    before = given.copy()
    read_assays(given, Reading(zeros="missing", fill="missing"))
    pd.testing.assert_frame_equal(given, before)


@pytest.mark.data
def test_curnamona_training_table_sentinels_and_shared_vector_are_found(data_dir):
    made = read_assays(data_dir / "curnamona_ree" / "ALL_traindata_random.csv")
    assert made.values.shape == (870, 58)  # PROVENANCE.md: 58 features, 870 rows
    sentinel = next(f for f in made.findings if f.about == "sentinel")
    assert sentinel.columns == (
        "Mesoproterozoic_Strata",
        "Felsic_Granite",
        "Archean_Early_Mesoproterozoic_Fault",
    )
    assert len(sentinel.rows) == 5  # PROVENANCE.md
    assert sentinel.sentence.startswith("-9999 stands for missing in 5 rows of 3 columns")
    fill = next(f for f in made.findings if f.about == "fill")
    assert fill.columns == tuple(f"Geochemical_V{n}" for n in range(1, 8))
    raw = pd.read_csv(data_dir / "curnamona_ree" / "ALL_traindata_random.csv")
    assert len(fill.rows) == raw[list(fill.columns)].value_counts().iloc[0] == 221  # a quarter of 870
    assert made.degrees
    assert list(made.other) == ["label"]


@pytest.mark.data
def test_curnamona_grid_table_has_no_place_and_says_so(data_dir):
    made = read_assays(data_dir / "curnamona_ree" / "ALL_preddata_regular.csv")
    assert np.isnan(made.xy).all()
    assert "no columns of coordinates" in said(made, "coordinates")
    assert "186 of 679 rows (27 %)" in said(made, "fill")


@pytest.mark.data
def test_curnamona_raw_assays_are_read_and_their_wrong_units_said(data_dir):
    made = read_assays(data_dir / "curnamona_ree" / "Rock_geochemical_data.csv")
    assert made.values.shape == (1333, 93)
    impossible = {f.columns[0] for f in made.findings if f.about == "impossible"}
    raw = pd.read_csv(data_dir / "curnamona_ree" / "Rock_geochemical_data.csv")
    assert impossible == {"BaO__", "FeO__", "SO3__", "Si__", "SrO__"}
    assert all(raw[name].max() > 100 for name in impossible)
    assert "54726 zeros in 67 columns of elements" in said(made, "zeros")
    assert "Al: Al2O3_ppm and Al_ppm" in said(made, "twice")
    assert "205 rows stand at the place" in said(made, "sites")
    assert "1 column without any value: 'F_ppm'." in made.said()
