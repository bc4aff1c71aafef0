"""The command 'catalog'."""

import sys

import click

from szmass.cli.options import (
    NOTHING_FOUND,
    catalog_argument,
    check_outputs,
    offline_option,
    output_options,
    sample_options,
)

__all__ = ["catalog"]


@click.command()
@catalog_argument("catalog")
@output_options
@click.option(
    "--mass-definition",
    metavar="DEFINITION",
    help="The file is a table of lensing masses of your own, which are, for instance, 200c.",
)
@click.option(
    "--cosmology", metavar="NAME", help="Cosmology of these masses, for instance PSZ2 or Planck18."
)
@sample_options
@offline_option
def catalog(catalog, output, overwrite, mass_definition, cosmology, reading):
    """Read or fetch a catalogue and write it with one set of names and units.

    A catalogue is a file, - for standard input, or a tag of 'szmass info' to
    fetch it. With --mass-definition and --cosmology it is a table of lensing
    masses of your own; what is written remembers both, for the estimator
    'lensing': szmass estimate --set lensing.table=FILE.

    \b
    Examples:
      szmass catalog psz2 --redshift 0.1 0.3 -o psz2.ecsv
      szmass catalog psz2 --redshifts upcluster-sz -o psz2.ecsv
      szmass catalog simbad.vot -o - | szmass estimate --catalog - ...
      szmass catalog mine.csv --column mass=M200 --unit mass='1e14 solMass'
          --mass-definition 200c --cosmology PSZ2 -o lensing.ecsv
    """
    from szmass._tables.files import write_table
    from szmass.catalogs import LensingTable, load_sample

    check_outputs(output, overwrite=overwrite, inputs=[catalog])
    if mass_definition or cosmology:
        if {"redshift", "redshifts"} & set(reading):
            raise click.UsageError(
                "--redshift and --redshifts do not go with --mass-definition and --cosmology"
            )
        about = {"mass_definition": mass_definition, "cosmology": cosmology}
        found = LensingTable.read(catalog, **about, **reading)
        found.write(output, overwrite=overwrite)
    else:
        found = load_sample(catalog, **reading)
        write_table(found.table, output, overwrite=overwrite)
    click.echo(f"{len(found)} clusters written to {output}")
    if not len(found):
        sys.exit(NOTHING_FOUND)
