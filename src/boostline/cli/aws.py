"""`boostline aws`: what an account needs before a stage is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from boostline.cli import options
from boostline.cli.options import HERE, AsJson, Dir, On, Project, TargetName

if TYPE_CHECKING:
    from boostline.deploy.bootstrap import Plan
    from boostline.project.target import Target

group = typer.Typer(no_args_is_help=True, help="An account made ready: stacks and images.")
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would happen, and let nothing happen.")
]
ON_EVENT = "boostline up --on-event '*:codepipeline:*=boostline deploy staging'"
SETTINGS = """
boostline.toml:
  [aws]
  account = "{account}"
  region = "{region}"
  role = "{role}"
"""
VARIABLES = """
variables of the repository, for its workflow:
  gh variable set BOOSTLINE_ROLE --body {deployer}
  gh variable set BOOSTLINE_ROLE --env prod --body {prod}
  gh variable set BOOSTLINE_REGION --body {region}
"""


@group.command()
def bootstrap(
    dry_run: DryRun = False,
    stage: Annotated[
        str | None, typer.Option("--stage", help="A stage, whose own AWS account is made ready.")
    ] = None,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Make or update the stacks that the account and the project need, and show what they gave.

    Bucket, image repositories, roles, the registry's group, and what an approval starts;
    [aws.parameters] in boostline.toml are their templates' parameters. A second time it changes
    only what has become different.
    """
    from boostline.deploy.bootstrap import Bootstrap, of_stage

    config = options.open_project(project)
    if stage is not None and on is TargetName.AWS:
        config = of_stage(config, stage)
    target = options.open_target(on, folder, config)

    def report(text: str) -> None:
        if not as_json:
            typer.echo(f"  ▸ {text}")

    found = Bootstrap(target, config, report)
    if dry_run:
        _show_plans(found.plan(), as_json)
        return
    outputs = found.apply()
    if as_json:
        options.print_json(outputs)
    else:
        _show_outputs(target, outputs)


def _show_plans(plans: list[Plan], as_json: bool) -> None:
    if as_json:
        options.print_json(
            {
                plan.stack: None if plan.changes is None else [vars(one) for one in plan.changes]
                for plan in plans
            }
        )
        return
    for plan in plans:
        known = plan.changes is not None
        nothing = "would not change" if known else "is planned once the stacks above are there"
        typer.echo(f"stack {plan.stack}:")
        for change in plan.changes or (nothing,):
            typer.echo(f"  {change}")


def _show_outputs(target: Target, outputs: dict[str, str]) -> None:
    for name, text in outputs.items():
        typer.echo(f"{name:<22} {text}")
    if target.name == "local":
        typer.echo(f"next: boostline run; what an approval starts: {ON_EVENT}")
        return
    places = {"account": target.account, "region": target.region}
    if "PipelineRoleArn" in outputs:
        typer.echo(SETTINGS.format(role=outputs["PipelineRoleArn"], **places).rstrip())
    if "DeployerRoleArn" in outputs:
        roles = {"deployer": outputs["DeployerRoleArn"], "prod": outputs["ProdDeployerRoleArn"]}
        typer.echo(VARIABLES.format(**roles, **places).rstrip())
    typer.echo("\nnext: boostline aws push-images --target aws")


@group.command("push-images")
def push_images(
    dry_run: DryRun = False,
    project: Project = HERE,
    on: On = TargetName.LOCAL,
    folder: Dir = None,
    as_json: AsJson = False,
) -> None:
    """Push the images that this machine has and the account's registry has not.

    That is the image of [aws] image, and the function's if it is here; docker or podman pushes. No
    repository is made, no tag overwritten. The local platform takes images from this machine.
    """
    from boostline.deploy import images

    config, target = options.open_both(project, on, folder)
    found = images.plan(target, config.train.flavor)
    if not as_json:
        for image in found:
            typer.echo(f"{image.name}: {image.why or f'goes to {image.uri}'}")
    if not dry_run:
        images.push(target, found, str if as_json else lambda text: typer.echo(f"  ▸ {text}"))
    if as_json:
        options.print_json([vars(image) for image in found])


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="aws")
