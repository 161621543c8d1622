"""Enums of the office: people, tasks, contacts and settings."""

from enum import StrEnum

__all__ = [
    "ActorType",
    "EmployeeRole",
    "PlacementFallback",
    "PlacementTarget",
    "Role",
    "RoutingMode",
    "SupervisorType",
    "TaskFieldType",
    "TaskStatus",
    "TimelineEntryType",
    "UnknownCallerPolicy",
    "VisibilityScope",
    "Weekday",
]


class Role(StrEnum):
    """Role of a token.

    - `employee`: an employee.
    - `admin`: an administrator.
    - `owner`: the tenant's owner.
    - `operator`: the operator of the installation.
    """

    EMPLOYEE = "employee"
    ADMIN = "admin"
    OWNER = "owner"
    OPERATOR = "operator"


class EmployeeRole(StrEnum):
    """Role of an employee.

    - `employee`: an employee.
    - `admin`: an administrator.
    """

    EMPLOYEE = "employee"
    ADMIN = "admin"


class ActorType(StrEnum):
    """Type of an actor.

    - `employee`: an employee.
    - `owner`: the owner token.
    - `operator`: the operator.
    - `oidc`: a user of the operator's identity provider.
    """

    EMPLOYEE = "employee"
    OWNER = "owner"
    OPERATOR = "operator"
    OIDC = "oidc"


class SupervisorType(StrEnum):
    """Type of a supervisor.

    - `employee`: one employee.
    - `group`: a group of employees.
    """

    EMPLOYEE = "employee"
    GROUP = "group"


class TaskStatus(StrEnum):
    """Status of a task.

    - `open`: work remains.
    - `completed`: the work is done.
    - `cancelled`: the task is dropped.
    """

    OPEN = "open"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class TaskFieldType(StrEnum):
    """Type of a task field.

    - `string`: text.
    - `number`: a number.
    - `boolean`: true or false.
    - `date`: a calendar day.
    """

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


class TimelineEntryType(StrEnum):
    """Type of a timeline entry.

    - `tag`: a tag.
    - `comment`: a comment.
    """

    TAG = "tag"
    COMMENT = "comment"


class PlacementTarget(StrEnum):
    """Place of a tag.

    - `contact`: the contact.
    - `last_active_task`: the contact's latest open task.
    - `last_task_matching`: the latest task that meets the conditions.
    - `new_task`: a new task.
    """

    CONTACT = "contact"
    LAST_ACTIVE_TASK = "last_active_task"
    LAST_TASK_MATCHING = "last_task_matching"
    NEW_TASK = "new_task"


class PlacementFallback(StrEnum):
    """Place of a tag without a matching task.

    - `contact`: the contact.
    - `create_task`: a new task.
    """

    CONTACT = "contact"
    CREATE_TASK = "create_task"


class UnknownCallerPolicy(StrEnum):
    """Creation of contacts for unknown numbers.

    - `always`: for every call.
    - `answered_only`: for answered calls.
    - `never`: contacts are not created.
    """

    ALWAYS = "always"
    ANSWERED_ONLY = "answered_only"
    NEVER = "never"


class RoutingMode(StrEnum):
    """Routing of unknown or missed callers.

    - `off`: no routing.
    - `on`: always.
    - `working_hours`: during working hours only.
    """

    OFF = "off"
    ON = "on"
    WORKING_HOURS = "working_hours"


class VisibilityScope(StrEnum):
    """Calls that employees can see.

    - `all`: every call.
    - `own`: own calls, supervised contacts and own tasks.
    """

    ALL = "all"
    OWN = "own"


class Weekday(StrEnum):
    """Day of the week.

    - `mon`: Monday.
    - `tue`: Tuesday.
    - `wed`: Wednesday.
    - `thu`: Thursday.
    - `fri`: Friday.
    - `sat`: Saturday.
    - `sun`: Sunday.
    """

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"
