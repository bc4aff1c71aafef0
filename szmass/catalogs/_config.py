"""Settings of the catalogues, in the configuration system of astropy."""

from astropy.config import ConfigItem, ConfigNamespace

from szmass.exceptions import InvalidInputError

__all__ = ["Conf", "conf", "require_consistent"]

_MODULE = "szmass.catalogs"


class Conf(ConfigNamespace):
    """How catalogues are fetched and where they are kept.

    Set them for a session with ``szmass.catalogs.conf.vizier_timeout = 20``, for a block with
    ``conf.set_temp``, or for good under ``[catalogs]`` in ``szmass.cfg`` in the folder that
    `astropy.config.get_config_dir` gives.
    """

    vizier_server = ConfigItem(
        "",
        "Host name of the VizieR server or mirror; empty for that of astroquery.vizier.conf.",
        module=_MODULE,
    )
    vizier_timeout = ConfigItem(
        60.0, "Longest silence of the server [s].", cfgtype="float(min=0.001)", module=_MODULE
    )
    vizier_deadline = ConfigItem(
        600.0,
        "Longest time for one answer, however slowly it arrives [s].",
        cfgtype="float(min=0.001)",
        module=_MODULE,
    )
    vizier_attempts = ConfigItem(
        3,
        "How often a server that fails or is silent is asked.",
        cfgtype="integer(min=1)",
        module=_MODULE,
    )
    offline = ConfigItem(
        False, "Never ask a server: use what earlier fetches have kept.", module=_MODULE
    )
    cache_folder = ConfigItem(
        "",
        "Folder of the snapshots; empty for 'catalogs' in the cache folder of szmass.",
        module=_MODULE,
    )


#: The settings.
conf = Conf()


def require_consistent(offline, refresh):
    """Tell whether a server may not be asked; 'offline' and ``refresh`` exclude each other."""
    offline = bool(offline or conf.offline)
    if offline and refresh:
        raise InvalidInputError("'offline' and 'refresh' exclude each other.")
    return offline
