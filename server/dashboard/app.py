"""The dashboard as an MCP App: a page that a host shows beside the answer of `show_dashboard`."""

from mcp.server.apps import APP_MIME_TYPE, Apps
from mcp.server.mcpserver.resources import FunctionResource
from mcp.types import Annotations

from server import icons

DASHBOARD = "ui://stockdesk/dashboard"


def dashboard_app() -> Apps:
    """The extension with the page; the tool is made with the others, when a client first asks for them."""
    apps = Apps()
    apps.add_resource(
        FunctionResource.from_function(
            _page,
            DASHBOARD,
            name="dashboard",
            title="Dashboard",
            description="The three queues, what they cost, and the verdicts, live; show_dashboard opens it.",
            mime_type=APP_MIME_TYPE,
            icons=icons.DESK,
            annotations=Annotations(
                audience=["user"], priority=0.2
            ),  # a model reads the tool's answer instead
        )
    )
    return apps


def _page() -> str:
    from server.dashboard.assembling import dashboard_html  # noqa: PLC0415 (few clients ask for it)

    return dashboard_html()
