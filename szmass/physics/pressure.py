"""Published electron-pressure profiles, by name."""

from szmass._utils.registry import Registry
from szmass.physics._battaglia import Battaglia2012Profile
from szmass.physics._gnfw import GNFWProfile
from szmass.physics._profile import PressureProfile

__all__ = [
    "PRESSURE_PROFILES",
    "Battaglia2012Profile",
    "GNFWProfile",
    "PressureProfile",
    "get_pressure_profile",
]

#: Profiles known by name.
PRESSURE_PROFILES = Registry("pressure profile")


def _gnfw(name, p0, c500, gamma, alpha, beta, **options):
    profile = GNFWProfile(
        name=name, p0=p0, c500=c500, gamma=gamma, alpha=alpha, beta=beta, **options
    )
    PRESSURE_PROFILES.add(name, profile)


_ARNAUD2010 = {"references": ("2010A&A...517A..92A",)}
_gnfw("arnaud2010", 8.403, 1.177, 0.3081, 1.0510, 5.4905, alpha_p=0.12, **_ARNAUD2010)
_gnfw("arnaud2010-cc", 3.249, 1.128, 0.7736, 1.2223, 5.4905, alpha_p=0.12, **_ARNAUD2010)
_gnfw("arnaud2010-md", 3.202, 1.083, 0.3798, 1.4063, 5.4905, alpha_p=0.12, **_ARNAUD2010)
_gnfw("arnaud2010-selfsimilar", 8.130, 1.156, 0.3292, 1.0620, 5.4807, **_ARNAUD2010)
_gnfw(
    *("planck2013", 6.41, 1.81, 0.31, 1.33, 4.13),
    alpha_p=0.12,
    p0_h70_exponent=-1.0,
    references=("2013A&A...550A.131P",),
)
_gnfw(
    *("he2021", 5.048, 1.217, 0.433, 1.192, 5.490),
    references=("2021ApJ...908...91H",),
)
_GHIRARDINI2019 = {
    "p500": "ghirardini2019",
    "references": ("2019A&A...621A..41G",),
}
_gnfw("ghirardini2019", 5.68, 1.49, 0.43, 1.33, 4.40, **_GHIRARDINI2019)
_gnfw("ghirardini2019-cc", 6.03, 1.68, 0.51, 1.33, 4.37, **_GHIRARDINI2019)
_gnfw("ghirardini2019-ncc", 7.96, 1.79, 0.29, 1.33, 4.05, **_GHIRARDINI2019)


def _battaglia2012(name, fitted_definition, p0, xc, beta):
    profile = Battaglia2012Profile(
        name=name,
        p0=p0,
        xc=xc,
        beta=beta,
        fitted_definition=fitted_definition,
        references=("2012ApJ...758...75B",),
    )
    PRESSURE_PROFILES.add(name, profile)


_battaglia2012(
    *("battaglia2012-agn", "200c"),
    p0=(18.1, 0.154, -0.758),
    xc=(0.497, -0.00865, 0.731),
    beta=(4.35, 0.0393, 0.415),
)
_battaglia2012(
    *("battaglia2012-agn-500c", "500c"),
    p0=(7.49, 0.226, -0.957),
    xc=(0.710, -0.0833, 0.853),
    beta=(4.19, 0.048, 0.615),
)
_battaglia2012(
    *("battaglia2012-shock", "200c"),
    p0=(20.7, -0.074, -0.743),
    xc=(0.438, 0.011, 1.01),
    beta=(3.82, 0.0375, 0.535),
)


def get_pressure_profile(profile):
    """Look a pressure profile up by name, or pass one through.

    Parameters
    ----------
    profile : str or `PressureProfile`
        A key of `PRESSURE_PROFILES`, or a profile.

    Returns
    -------
    `PressureProfile`
        The profile.

    Raises
    ------
    UnknownNameError
        No profile has that name; the message lists them.
    InvalidInputError
        Neither a name nor a profile was given.
    """
    expected = "a name such as 'arnaud2010', or a PressureProfile"
    return PRESSURE_PROFILES.resolve(profile, PressureProfile, "profile", expected)
