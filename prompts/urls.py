"""Pages of this app. A word stands before the name, so that no name can be mistaken for one."""

from __future__ import annotations

from django.urls import path

from prompts.pages import changing, editing, reading, trying

app_name = "prompts"
urlpatterns = [
    path("prompts/", reading.prompt_list, name="list"),
    path("prompts/new/", editing.new, name="new"),
    path("prompts/at/<path:name>/", reading.prompt_page, name="prompt"),
    path("prompts/edit/<path:name>/", editing.edit, name="edit"),
    path("prompts/try/<path:name>/", trying.try_it, name="try"),
    path("prompts/diff/<path:name>/", reading.diff, name="diff"),
    path("prompts/move/<path:name>/", changing.move, name="move"),
    path("prompts/roll-back/<path:name>/", changing.roll_back, name="roll-back"),
    path("prompts/remove-label/<path:name>/", changing.remove_label, name="remove-label"),
    path("prompts/protect/<path:name>/", changing.protect, name="protect"),
    path("prompts/describe/<path:name>/", changing.describe, name="describe"),
    path("prompts/put-away/<path:name>/", changing.put_away, name="put-away"),
]
