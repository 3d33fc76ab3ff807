"""Adds settings to a `params.yaml` of an earlier version that had none of them."""

from ruamel.yaml.comments import CommentedMap

from fer_data.review_queue.review_queue_settings import ReviewQueueSettings
from fer_data.splitting.split_settings import SplitSettings
from fer_data.stages.all_settings import section_of
from fer_data.stages.defaults import descend

_NEW_IN_QUEUE = {
    "audit_faces": "random ones that tell how many labels are wrong; 0: none",
    "audit_seed": "of the audit",
    "min_decisions_to_learn": "from how many on the queue learns from them; 0: never",
}


def add_new_settings(params: CommentedMap) -> list[str]:
    """Adds settings that came since, with their defaults, so that overrides and `dvc.yaml` find them.

    Args:
        params: The settings, which are changed in place.

    Returns:
        What was added, a line each.
    """
    split, queue = params.get("split"), params.get("review_queue")
    changes: list[str] = []
    if isinstance(split, CommentedMap) and "test_fraction" not in split:
        fraction = SplitSettings.model_fields["test_fraction"].default
        split.insert(
            min(1, len(split)),
            "test_fraction",
            fraction,
            comment="of Training, of an archive without a Testing folder",
        )
        changes.append(
            f"'split.test_fraction' is new: {fraction}, of archives without a Testing folder"
        )
    entries = descend(params, "pipeline.models")
    models = entries.items() if isinstance(entries, CommentedMap) else ()
    without = [(name, one) for name, one in models if "starts_from" not in one]
    for name, entry in without:
        entry["starts_from"] = f"data/weights/{name}"
    if without:
        changes.append(
            "'pipeline.models' says what each training starts from: 'starts_from: data/weights/NAME'"
        )
    without = [(name, one) for name, one in models if "settings" not in one]
    for name, entry in without:
        entry.insert(list(entry).index("starts_from"), "settings", section_of(name, params))
    if without:
        changes.append("'pipeline.models' says whose settings each has: 'settings: models.NAME'")
    for name, comment in _NEW_IN_QUEUE.items():
        if isinstance(queue, CommentedMap) and name not in queue:
            value = ReviewQueueSettings.model_fields[name].default
            queue.insert(len(queue), name, value, comment=comment)
            changes.append(f"'review_queue.{name}' is new: {value}, {comment}")
    return changes
