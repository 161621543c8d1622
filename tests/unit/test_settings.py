"""Telephony settings: defaults, validation and names of earlier releases."""

from typing import Any

import pytest
from pydantic import ValidationError

from hangtag import settings
from hangtag.api.integrations import setup
from hangtag.api.settings import models as api_models
from hangtag.api.settings.inputs import TelephonySettingsInput
from hangtag.settings import TelephonySettings
from hangtag.store.office import settings as stored


def test_telephony_settings_have_the_documented_defaults() -> None:
    assert TelephonySettings().model_dump() == {
        "settle_seconds": 10,
        "attach": {
            "to": "contact",
            "hidden": False,
            "conditions": [],
            "logic": None,
            "if_none": "contact",
            "task": {
                "title": "Call with {contact}",
                "assignee_id": None,
                "member_ids": [],
                "due_in_minutes": None,
                "fields": [],
            },
        },
        "contacts": {"create_unknown": "always", "template": {"name": "{number}", "supervisor_id": None}},
        "routing": {"mode": "on"},
        "notifications": {
            "supervisor_window": True,
            "missed_calls": {"supervisor": True, "ringing_employees": False, "employee_ids": [], "email": False},
        },
        "masks": [],
        "visibility": {"calls": "all"},
        "calling": {
            "countries": None,
            "allow_premium_rate": False,
            "employee_per_minute": 10,
            "tenant_per_minute": 120,
        },
        "recordings": {"mode": "copy", "retention_days": None},
    }


def test_tracker_has_the_default_of_the_settings() -> None:
    assert stored.DEFAULT_SETTLE_SECONDS == settings.DEFAULT_SETTLE_SECONDS


@pytest.mark.parametrize("seconds", [1, 10, 900])
def test_settle_seconds_of_a_queue_delay_is_accepted(seconds: int) -> None:
    assert TelephonySettings.model_validate({"settle_seconds": seconds}).settle_seconds == seconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"settle_seconds": 0},
        {"settle_seconds": 901},
        {"settle_seconds": True},
        {"settle_seconds": "10"},
        {"settle_seconds": 1.5},
        {"settle_seconds": None},
        {"attach": {"to": "nowhere"}},
        {"attach": {"hidden": 1}},
        {"attach": []},
        {"contacts": {"create_unknown": "sometimes"}},
        {"unknown": 1},
        {"attach": {"unknown": 1}},
    ],
)
def test_invalid_telephony_settings_are_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TelephonySettings.model_validate(wrong)


def test_telephony_settings_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TelephonySettings().settle_seconds = 5


def test_provider_fields_describe_a_form() -> None:
    listed = {provider.key: provider for provider in setup.providers()}
    kinds = {(str(key), field.name): field.type for key, one in listed.items() for field in one.settings}
    assert kinds["zadarma", "api_url"] == "string"
    assert kinds["zadarma", "time_zone"] == "string"
    assert kinds["freepbx", "missed_by_request"] == "boolean"
    assert kinds["twilio", "record_calls"] == "boolean"
    secret = {(str(key), field.name) for key, one in listed.items() for field in one.credentials if field.secret}
    assert {("zadarma", "api_secret"), ("twilio", "auth_token"), ("telnyx", "api_key")} <= secret
    assert ("twilio", "account_sid") not in secret
    for provider in listed.values():
        fields = [*provider.credentials, *provider.settings]
        assert all(field.description for field in fields), provider.key
        assert len(set(provider.capabilities)) == len(provider.capabilities)


OLD_NAMES: dict[str, Any] = {
    "notifications": {"missed_calls": {"rung": True}},
    "calling": {"premium": True},
    "recordings": {"keep": "ask"},
}


def test_old_names_are_accepted_in_requests() -> None:
    settings_input = TelephonySettingsInput.model_validate(OLD_NAMES).to_settings()
    assert settings_input.notifications.missed_calls.ringing_employees
    assert settings_input.calling.allow_premium_rate
    assert settings_input.recordings.mode == "on_demand"


def test_settings_stored_under_old_names_load() -> None:
    assert TelephonySettings.model_validate(OLD_NAMES) == TelephonySettingsInput.model_validate(OLD_NAMES).to_settings()
    assert TelephonySettings.model_validate({"recordings": {"keep": "nothing"}}).recordings.mode == "none"


def test_old_name_next_to_the_current_one_is_rejected() -> None:
    with pytest.raises(ValidationError):
        TelephonySettingsInput.model_validate({"calling": {"premium": True, "allow_premium_rate": False}})


def test_old_names_are_deprecated_in_the_document() -> None:
    schema = TelephonySettingsInput.model_json_schema()["$defs"]
    for model, old in (
        ("MissedCallNotificationSettingsInput", "rung"),
        ("ClickToCallSettingsInput", "premium"),
        ("RecordingSettingsInput", "keep"),
    ):
        assert schema[model]["properties"][old]["deprecated"] is True


def test_request_defaults_are_those_of_the_settings() -> None:
    assert TelephonySettingsInput().to_settings() == TelephonySettings()
    shown = api_models.TelephonySettings.of(TelephonySettings())
    assert shown.model_dump(mode="json") == TelephonySettings().model_dump(mode="json")


@pytest.mark.parametrize("wrong", [{"settle_seconds": True}, {"settle_seconds": "10"}, {"attach": {"hidden": 1}}])
def test_request_values_of_another_type_are_rejected(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TelephonySettingsInput.model_validate(wrong)
