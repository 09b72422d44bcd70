"""config.yaml to validated settings. Every problem is reported at once, with its path and a remedy; no connection is
opened; secrets come from the environment as `${NAME}` and are never printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pipeline import registry
from pipeline.errors import ConfigError, Problem
from pipeline.ports import Brand, FromEnvironment, Secret, Settings

T = TypeVar("T", bound=Settings)
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
STAGES = (
    *("brand", "language", "sarcasm", "sentiment", "intent", "target", "topics", "spam", "repost", "cluster", "reach"),
    "urgency",
)


class BrandSettings(Settings):
    """What makes a mention one about this brand; see `ports.Brand`."""

    terms: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    languages: tuple[Annotated[str, Field(pattern="^[a-z]{2}$")], ...] = ()
    own_accounts: dict[str, tuple[str, ...]] = {}
    competitors: dict[str, tuple[str, ...]] = {}

    @field_validator("competitors")
    @classmethod
    def _can_be_found(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, terms in value.items():
            if not name.strip() or not all(term.strip(" @") for term in terms):
                raise ValueError("each competitor has a name, and a list of the words and @handles it is known by")
        return value


class TopicSettings(Settings):
    """The topics' names and how they are kept."""

    prefix: str = Field("mentions", pattern=r"^[a-z][a-z0-9._-]{0,60}$")
    partitions: int = Field(4, ge=1, le=1000)
    retention_hours: float = Field(168, gt=0)

    @property
    def raw(self) -> str:
        """What connectors took in."""
        return f"{self.prefix}.raw"

    @property
    def enriched(self) -> str:
        """Mentions with their tags."""
        return f"{self.prefix}.enriched"

    @property
    def routed(self) -> str:
        """Mentions with their tags and decision."""
        return f"{self.prefix}.routed"


class StoreSettings(Settings):
    """The database, as a SQLAlchemy URL."""

    url: SecretStr = SecretStr("sqlite:///var/harken.db")

    @field_validator("url", mode="before")
    @classmethod
    def _no_password_in_the_file(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                url = make_url(value)
            except ArgumentError as error:
                raise ValueError("not a database URL such as sqlite:///var/harken.db") from error
            if url.get_backend_name() not in ("sqlite", "postgresql"):
                raise ValueError("the store is sqlite or postgresql+psycopg")
            if url.password and not isinstance(value, FromEnvironment):
                raise ValueError("a password is written as ${NAME} and taken from the environment")
        return value


class RoutingSettings(Settings):
    """Where the rules are; without a path, those that come with harken."""

    rules: Path | None = None


class WorkerSettings(Settings):
    """How the loops of enrich, route and deliver work."""

    batch_size: int = Field(500, ge=1, le=10_000)
    poll_secs: float = Field(0.2, gt=0, le=5)
    retries: int = Field(5, ge=0, le=100)
    dead_letter_ratio: float = Field(0.2, gt=0, le=1)
    dead_letter_window: int = Field(1000, ge=10)
    processes: dict[str, Annotated[int, Field(ge=1, le=64)]] = {}


class QueueSettings(Settings):
    """How one queue is worked. `service_level` names one of `desk.service_levels`; `assign` says whether people take
    cases (`pull`) or are given them (`push`); `approval` whose drafts somebody else must approve: nobody's but those of
    people who may not send (`draft_only`), or everybody's (`always`)."""

    service_level: str | None = None
    assign: Literal["pull", "push"] = "pull"
    approval: Literal["draft_only", "always"] = "draft_only"


class CrmSettings(Settings):
    """Where customers' value and segment come from: a CSV file, or a query on a database. Its columns are `account`
    (`source:author_id` or `source:@handle`), `segment`, `value` and, optionally, `person`."""

    csv: Path | None = None
    url: Secret | None = None
    query: str | None = None
    refresh_minutes: float = Field(60, ge=1)


class DeskSettings(Settings):
    """How mentions make cases, how cases are worked, and what is promised to customers."""

    cases: bool = True
    join_hours: float = Field(24, ge=0)
    reopen_hours: float = Field(72, ge=0)
    wave_hours: float = Field(24, ge=0)
    wave_words: int = Field(8, ge=1)
    lease_secs: float = Field(300, ge=10, le=86_400)
    away_secs: float = Field(120, ge=10, le=86_400)
    queues: dict[str, QueueSettings] = {}
    calendars: dict[str, Any] = {}
    service_levels: dict[str, Any] = {}
    macros: Path | None = None
    agent_hour_cost: float = Field(0, ge=0)
    crm: CrmSettings | None = None


class AlertSettings(Settings):
    """Whom to tell of incidents, and when not to: `targets` by name, `playbooks` a file (without one, those that come
    with harken), `quiet_hours` when only what cannot wait goes out."""

    playbooks: Path | None = None
    targets: dict[str, Any] = {}
    quiet_hours: dict[str, Any] | None = None


class SpikeSettings(Settings):
    """How firestorms are watched for. `keep_hours`: how long what was counted of each mention is kept, so that copies
    are known and distinct authors can be counted; `history_days`: how long buckets of five minutes and detections
    are."""

    enabled: bool = True
    sensitivity: Literal["low", "normal", "high"] = "normal"
    keep_hours: float = Field(48, ge=36)
    history_days: float = Field(90, ge=7)


class OidcSettings(Settings):
    """Sign-in through an OpenID Connect provider; who is not an account yet by their e-mail address is refused."""

    issuer: str
    client_id: str
    client_secret: Secret

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        url = urlsplit(value)
        if url.scheme == "https" or (url.scheme == "http" and url.hostname in ("localhost", "127.0.0.1", "::1")):
            return value
        raise ValueError("begins with https://, or is on this machine")


class ServeSettings(Settings):
    """Where `harken serve` answers. `public_url` is how browsers reach it (for cookies and sign-in); https is then
    required of them where it begins with it."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    public_url: str = ""
    oidc: OidcSettings | None = None

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, value: str) -> str:
        value = value.rstrip("/")
        if value and not re.fullmatch(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", value):
            raise ValueError("is the start of an address, without a path: https://desk.example.org")
        return value

    @model_validator(mode="after")
    def _can_be_returned_to(self) -> ServeSettings:
        if self.oidc is not None and not self.public_url:
            raise ValueError("oidc needs public_url: the provider sends browsers back there")
        return self


class RetentionSettings(Settings):
    """After how many days what is kept goes, by kind; without a number it stays until it is removed. `docs/privacy.md`
    says what each kind is."""

    mentions_days: float | None = Field(None, gt=0)
    cases_days: float | None = Field(None, gt=0)
    dead_letters_days: float | None = Field(None, gt=0)
    outbox_days: float | None = Field(7, gt=0)
    audit_days: float | None = Field(None, gt=0)
    ids_days: float | None = Field(None, gt=0)
    incidents_days: float | None = Field(None, gt=0)


class HttpSettings(Settings):
    """Where each process shows /metrics, /healthz and /readyz; port 0 lets the system choose."""

    host: str = "127.0.0.1"
    port: int = Field(9464, ge=0, le=65535)


class LogSettings(Settings):
    """What is logged to standard error and how."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$")
    format: str = Field("auto", pattern="^(auto|json|text)$")


class File(Settings):
    """The whole of config.yaml as written; adapters' own settings are still plain and validated by `load`."""

    brands: dict[str, BrandSettings] = {}
    bus: dict[str, Any] = {"type": "embedded"}
    topics: TopicSettings = TopicSettings()
    store: StoreSettings = StoreSettings()
    sources: dict[str, dict[str, Any]] = {}
    enrich: dict[str, dict[str, Any]] = {name: {} for name in STAGES}
    routing: RoutingSettings = RoutingSettings()
    sinks: dict[str, dict[str, Any]] = {}
    worker: WorkerSettings = WorkerSettings()
    desk: DeskSettings = DeskSettings()
    spikes: SpikeSettings = SpikeSettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    serve: ServeSettings = ServeSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()

    @field_validator("enrich", "sources", "sinks", mode="before")
    @classmethod
    def _nothing_is_an_empty_mapping(cls, value: object) -> object:
        return {name: part or {} for name, part in value.items()} if isinstance(value, dict) else value


@dataclass(frozen=True)
class Adapter:
    """One configured adapter: its configured name, its module and its validated settings."""

    name: str
    module: ModuleType
    settings: Settings


class RecheckSettings(Settings):
    """How stored mentions of a source are checked again, where its platform sends no deletes: `per_hour` of them at
    most (fewer where the platform leaves no room for so many; 0: none), each that is not older than `days`, over and
    over."""

    per_hour: int = Field(600, ge=0, le=1_000_000)
    days: float = Field(30, gt=0)


@dataclass(frozen=True)
class Source(Adapter):
    """A connector, after how much silence (seconds) somebody should be told (None never), and how its stored mentions
    are checked again."""

    silence_secs: float | None = None
    recheck: RecheckSettings = field(default_factory=RecheckSettings)


@dataclass(frozen=True)
class Config:
    """The validated configuration; making it opened nothing. `texts` are the documents that were saved at the desk and
    stand for a file that the configuration names, by kind."""

    file: File
    bus: Adapter
    sources: tuple[Source, ...]
    stages: tuple[Adapter, ...]
    sinks: tuple[Adapter, ...]
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def brands(self) -> tuple[Brand, ...]:
        """The brands in the shape that adapters take."""
        return tuple(Brand(name=name, **settings.model_dump()) for name, settings in self.file.brands.items())

    def serving_on(self, port: int) -> Config:
        """The same with another port for metrics and health."""
        http = self.file.http.model_copy(update={"port": port})
        return replace(self, file=self.file.model_copy(update={"http": http}))

    def calling_nobody(self) -> Config:
        """The same with nobody to be told of incidents."""
        return replace(self, file=self.file.model_copy(update={"alerts": AlertSettings()}))


def find() -> Path | None:
    """The configuration in force: `$HARKEN_CONFIG`, else ./config.yaml where there is one, else the defaults."""
    if named := os.environ.get("HARKEN_CONFIG"):
        return Path(named)
    return Path("config.yaml") if Path("config.yaml").is_file() else None


SECTIONS = frozenset({"sources", "enrich", "sinks"})
"""The sections that name adapters, whose libraries take time and memory to import."""


def load(path: Path | None, environment: Mapping[str, str] = os.environ, sections: Set[str] = SECTIONS) -> Config:
    """Read and validate; raises ConfigError with every problem found.

    The adapters of a section not among `sections` are neither imported nor validated, and left out: a role pays only
    for what it uses.
    """
    problems: list[Problem] = []
    tree = _substituted(_read(path), "", environment, problems)
    file = _validated(File, tree, "", problems) or _adapters_of(tree)
    bus = _adapter("pipeline.bus", "bus", "bus", dict(file.bus), problems)
    sources = tuple(_sources(file, problems)) if "sources" in sections else ()
    stages = [
        _adapter("enrich", name, f"enrich.{name}", {"type": name, **settings}, problems)
        for name, settings in file.enrich.items()
        if "enrich" in sections
    ]
    sinks = [
        _adapter("sinks", name, f"sinks.{name}", dict(settings), problems)
        for name, settings in file.sinks.items()
        if "sinks" in sections and settings.get("enabled", True)
    ]
    if problems or bus is None:
        raise ConfigError(problems)
    return Config(file, bus, sources, tuple(filter(None, stages)), tuple(filter(None, sinks)))


def validated(model: type[T], values: Any, path: str) -> T:
    """Settings of one adapter given by hand (by options, say); raises ConfigError with every problem."""
    problems: list[Problem] = []
    found = _validated(model, values, path, problems)
    if found is None:
        raise ConfigError(problems)
    return found


def _read(path: Path | None) -> Any:
    if path is None:
        return {}
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError as error:
        raise ConfigError([Problem(str(path), "there is no such file", "name one with --config")]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error}", "")]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise ConfigError([Problem(place, f"not YAML: {getattr(error, 'problem', error)}", "")]) from error


def _adapters_of(tree: Any) -> File:
    """What can still be looked at in a file that is wrong elsewhere, so that one run shows every problem."""
    sections = ("bus", "sources", "enrich", "sinks")
    try:
        return File.model_validate({name: tree[name] for name in sections if name in tree})
    except (ValidationError, TypeError):
        return File()


def _substituted(node: Any, path: str, environment: Mapping[str, str], problems: list[Problem]) -> Any:
    """Replace `${NAME}` from the environment. A part that is switched off needs no variable."""
    if isinstance(node, dict):
        if node.get("enabled") is False:
            environment = _Anything()
        return {
            key: _substituted(value, f"{path}.{key}".lstrip("."), environment, problems) for key, value in node.items()
        }
    if isinstance(node, list):
        return [_substituted(value, f"{path}[{index}]", environment, problems) for index, value in enumerate(node)]
    if not isinstance(node, str) or not VARIABLE.search(node):
        return node
    for name in VARIABLE.findall(node):
        if name not in environment:
            problems.append(Problem(path, f"the environment variable {name} is not set", f"export {name}=…"))
            environment = {**environment, name: "unset-in-the-environment"}
    return FromEnvironment(VARIABLE.sub(lambda match: environment[match[1]], node))


class _Anything(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "unset-because-this-part-is-switched-off"

    def __contains__(self, key: object) -> bool:
        return True


def _sources(file: File, problems: list[Problem]) -> Iterator[Source]:
    for name, settings in file.sources.items():
        rest = dict(settings)
        silence = rest.pop("silence_minutes", None)
        if silence is not None and (not isinstance(silence, int | float) or silence <= 0):
            problems.append(Problem(f"sources.{name}.silence_minutes", "not a number of minutes", "for example 30"))
            silence = None
        recheck = _validated(RecheckSettings, rest.pop("recheck", {}), f"sources.{name}.recheck", problems)
        enabled = rest.get("enabled", True)
        adapter = _adapter("connectors", name, f"sources.{name}", rest, problems)
        if adapter and enabled and recheck:
            yield Source(adapter.name, adapter.module, adapter.settings, silence * 60 if silence else None, recheck)


def _adapter(
    room: registry.Room, name: str, path: str, settings: dict[str, Any], problems: list[Problem]
) -> Adapter | None:
    kind = settings.pop("type", None)
    enabled = settings.pop("enabled", True)
    if not isinstance(enabled, bool):
        problems.append(Problem(f"{path}.enabled", "not true or false", ""))
    if not isinstance(kind, str):
        problems.append(Problem(f"{path}.type", "is missing", f"one of {', '.join(registry.names(room))}"))
        return None
    try:
        module = registry.load(room, kind, f"{path}.type" if room != "enrich" else path)
    except ConfigError as error:
        problems.extend(error.problems)
        return None
    validated = _validated(module.Config, settings, path, problems)
    return Adapter(name, module, validated) if validated is not None else None


def _validated(model: type[T], values: Any, path: str, problems: list[Problem]) -> T | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems.extend(
            _problem(model, path, detail) for detail in error.errors(include_url=False, include_input=False)
        )
        return None


def _problem(model: type[BaseModel], path: str, detail: ErrorDetails) -> Problem:
    place = path
    for step in detail["loc"]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}"
    message = detail["msg"].removeprefix("Value error, ")
    remedy = ""
    if detail["type"] == "extra_forbidden":
        message = "there is no such setting"
        remedy = registry.suggestion(str(detail["loc"][-1]), _fields(model, detail["loc"][:-1]))
    return Problem(place.lstrip(".") or "the configuration", message, remedy)


def _fields(model: Any, steps: tuple[int | str, ...]) -> list[str]:
    """The settings that may stand at the end of `steps` below `model`."""
    for step in steps:
        if get_origin(model) in (dict, tuple, list):
            model = get_args(model)[-1]
        elif isinstance(model, type) and issubclass(model, BaseModel) and step in model.model_fields:
            model = model.model_fields[str(step)].annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
