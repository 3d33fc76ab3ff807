"""An environment without git's own variables, so that git finds a folder's repository."""

import os
from collections.abc import Mapping

REPOSITORY_VARIABLES = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""Those of `git rev-parse --local-env-vars` that name a repository, or a part of one.

git sets them for its hooks. Settings (`GIT_CONFIG_COUNT` and the like) stay, since they name none.
"""


def without_repository(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A copy of an environment in which git goes by the folder that it runs in."""
    return {name: value for name, value in environment.items() if name not in REPOSITORY_VARIABLES}
