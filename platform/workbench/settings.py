"""Django's settings: everything comes from the environment, `docs/settings.md` lists it."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from django.core.exceptions import ImproperlyConfigured

from workbench import embedded, env

ROOT = Path(__file__).resolve().parents[2]
VAR_DIR = Path(env.text("VAR_DIR", str(ROOT / "var"))).expanduser()

DEBUG = env.flag("DEBUG", default=False)
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8400, low=1, high=65535)
PUBLIC_URL = env.text("PUBLIC_URL", f"http://{HOST}:{PORT}").rstrip("/")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ("127.0.0.1", "localhost", "[::1]", "testserver", HOST))
CSRF_FAILURE_VIEW = "workbench.shell.views.form_expired"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL.startswith("https://") else []

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"

MIN_SECRET_LENGTH = 32
KNOWN_SECRETS = frozenset({"changeme", "secret", "insecure", "django-insecure"})


def _secret_key() -> str:
    """SECRET_KEY, or one made on first start and kept in `var/` readable by its owner only."""
    given = env.secret("SECRET_KEY")
    if given:
        weak = len(given) < MIN_SECRET_LENGTH or given.startswith(tuple(KNOWN_SECRETS))
        if weak and not DEBUG:
            raise ImproperlyConfigured(
                f"SECRET_KEY is short or well known. Use at least {MIN_SECRET_LENGTH} random "
                "characters, or unset it to have one made."
            )
        return given
    return _kept_secret(VAR_DIR / "secret_key")


def _kept_secret(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        STATIC_ROOT.mkdir(exist_ok=True)
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(48))
        return path.read_text(encoding="ascii")
    except OSError as problem:
        raise ImproperlyConfigured(
            f"{path.parent} cannot be written: {problem.strerror}. "
            "Fix its permissions or free space, or set VAR_DIR to another folder."
        ) from problem


def _write_once(path: Path, text: str) -> None:
    """Put a whole file in place, or leave the one that another process put there first."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as draft:
        draft.write(text)
        draft.flush()
        os.fsync(draft.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft.name, path)


SECRET_KEY = _secret_key()

# Keys that seal provider credentials, newest first; SECRET_KEY opens what was sealed without them.
CREDENTIAL_KEYS = env.words("CREDENTIAL_KEYS")

_database_url = env.url("DATABASE_URL", schemes=("postgres", "postgresql"))
EMBEDDED_DATABASE = _database_url is None
EMBEDDED_DATABASE_DIR = VAR_DIR
DATABASES: dict[str, dict[str, object]]
if _database_url is None:
    DATABASES = {
        "default": {
            "ENGINE": "workbench.embedded_database",
            "NAME": embedded.DATABASE,
            "USER": embedded.SUPERUSER,
            "HOST": str(embedded.socket_dir(VAR_DIR)),
            "PORT": str(embedded.PORT),
        }
    }
else:
    if not _database_url.path.strip("/"):
        raise ImproperlyConfigured(
            "DATABASE_URL names no database. Write postgres://user:password@host:5432/name."
        )
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(_database_url.path.strip("/")),
            "USER": unquote(_database_url.username or ""),
            "PASSWORD": unquote(_database_url.password or ""),
            "HOST": unquote(_database_url.hostname or ""),
            "PORT": str(_database_url.port or ""),
            "OPTIONS": dict(parse_qsl(_database_url.query)),
        }
    }
# Under ASGI a page's thread is not used again, so a kept connection would only dangle.
DATABASES["default"].update(CONN_MAX_AGE=0)
MINIMUM_POSTGRES = 150000

BROKER_URL = env.url("BROKER_URL", schemes=("redis", "rediss", "amqp", "amqps"))
BROKER_NAMESPACE = env.text("BROKER_NAMESPACE", "stillhouse")
ARTIFACTS_URL = env.text("ARTIFACTS_URL", str(VAR_DIR / "artifacts"))

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "workbench.core",
    "workbench.providers",
    "prompts",
    "requests_log",
    "requests_log.redaction",
    "requests_log.datasets",
    "requests_log.review",
    "evals",
    "evals.judges",
    "evals.calibration",
    "evals.pairwise",
    "evals.online",
    "evals.pipelines",
    "evals.human",
    "evals.documents",
    "finetunes",
    "workbench.gateway",
    "workbench.shell",
    "workbench.shell.playground",
    "workbench.shell.starting",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "workbench.core.middleware.content_security_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "workbench.core.middleware.domain_errors",
]

ROOT_URLCONF = "workbench.urls"
ASGI_APPLICATION = "workbench.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "workbench.core.context.interface",
                "workbench.shell.nav.navigation",
            ],
            "builtins": ["workbench.core.templatetags.ui"],
        },
    }
]

AUTH_USER_MODEL = "core.User"
LOGIN_URL = "core:sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "core:sign-in"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PUBLIC_URL.startswith("https://")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024

LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True  # no collectstatic step on one machine; images run it anyway
WHITENOISE_AUTOREFRESH = DEBUG

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["workbench.core.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["workbench.core.authentication.KeyMay"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["workbench.core.parsers.JsonBody"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is for endpoints; every answer is JSON
    "EXCEPTION_HANDLER": "workbench.core.api.error_document",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Stillhouse",
    "DESCRIPTION": "Capture, curate, train, compare, promote, serve.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {
        "PromptKindEnum": "prompts.models.Prompt.Kind",
        "ConnectionKindEnum": "workbench.providers.models.Connection.Kind",
        "CalibrationSourceEnum": "evals.calibration.models.Calibration.Source",
        "StudySourceEnum": "evals.human.models.Study.Source",
    },
}

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "uvicorn.access": {"level": "WARNING"},
        "uvicorn.error": {"level": "WARNING"},
        "dramatiq": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
    },
}

# The ingest path (requests_log.ingest): bounds of one micro-batch and of what may wait in memory.
INGEST_BATCH_MILLISECONDS = env.number("INGEST_BATCH_MILLISECONDS", 5, low=0, high=1000)
INGEST_BATCH_ROWS = env.number("INGEST_BATCH_ROWS", 200, low=1, high=10_000)
INGEST_BATCH_BYTES = env.number("INGEST_BATCH_BYTES", 2 << 20, low=1 << 10, high=1 << 30)
INGEST_WAITING_BYTES = env.number("INGEST_WAITING_BYTES", 64 << 20, low=1 << 20, high=1 << 34)

# The gateway: how long a provider may take to accept a connection, to begin, and between pieces.
GATEWAY_CONNECT_SECONDS = env.number("GATEWAY_CONNECT_SECONDS", 5, low=1, high=300)
GATEWAY_FIRST_BYTE_SECONDS = env.number("GATEWAY_FIRST_BYTE_SECONDS", 120, low=1, high=3600)
GATEWAY_IDLE_SECONDS = env.number("GATEWAY_IDLE_SECONDS", 60, low=1, high=3600)
GATEWAY_SPOOL_BYTES = env.number("GATEWAY_SPOOL_BYTES", 1 << 30, low=1 << 20, high=1 << 40)

# Folders base models may be read from; a path outside them is refused.
_model_dirs = env.words("MODEL_DIRS", (str(VAR_DIR / "models"),))
MODEL_DIRS = [Path(folder).expanduser() for folder in _model_dirs]

# The Hugging Face Hub that datasets are pushed to, and the token for projects without one.
_hub_url = env.url("HUB_URL", schemes=("http", "https"))
HUB_URL = _hub_url.geturl().rstrip("/") if _hub_url else "https://huggingface.co"
HUB_TOKEN = env.secret("HUB_TOKEN")

# The runner (finetunes): which host it is, and the CPU threads of a trainer (0 = half of them).
RUNNER_HOST = env.text("RUNNER_HOST", "local")
TRAINER_THREADS = env.number("TRAINER_THREADS", 0, low=0, high=1024)
ENGINE_THREADS = env.number("ENGINE_THREADS", 1, low=0, high=1024)
