"""The suite's fixtures that ask the client: by requests of their own on 2025-11-25, by their answer on 2026-07-28."""

from collections.abc import Mapping
from typing import Annotated, Any

from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, Elicit, MCPServer, Resolve, Sample
from mcp.types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequests,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel, Field

from tests.conformance.contents import text


def elicits(message: str, **properties: str) -> ElicitRequest:
    """Asks for an object with `properties`, given as name and type, each required."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def samples(words: str) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=text(words))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


USER_NAME = elicits("What is your name?", name="string")
CONFIRM: InputRequests = {"confirm": elicits("Please confirm", ok="boolean")}
ROOTS = ListRootsRequest()
QUESTIONS: Mapping[str, InputRequests] = {
    "test_input_required_result_elicitation": {"user_name": USER_NAME},
    "test_input_required_result_sampling": {"capital_question": samples("What is the capital of France?")},
    "test_input_required_result_list_roots": {"client_roots": ROOTS},
    "test_input_required_result_request_state": CONFIRM,
    "test_input_required_result_tampered_state": CONFIRM,
    "test_input_required_result_multiple_inputs": {
        "user_name": USER_NAME,
        "greeting": samples("Generate a greeting"),
        "client_roots": ROOTS,
    },
    "test_input_required_result_capabilities": {"user_name": USER_NAME, "greeting": samples("Greet")},
    "test_streaming_elicitation": {"user_name": USER_NAME},
}
STEPS: InputRequests = {
    "step1": elicits("Step 1: What is your name?", name="string"),
    "step2": elicits("Step 2: What is your favorite color?", color="string"),
}


def _possible(ctx: Context, questions: InputRequests) -> InputRequests:
    """Those that the client has declared that it can answer; all if it has declared nothing."""
    able = ctx.client_capabilities
    can = {
        "elicitation/create": able and able.elicitation,
        "sampling/createMessage": able and able.sampling,
        "roots/list": able and able.roots,
    }
    possible = {key: asked for key, asked in questions.items() if can[asked.method] is not None}
    return possible or questions


def _ask(
    ctx: Context, questions: InputRequests, state: str = "asked"
) -> InputRequiredResult | list[TextContent]:
    questions = _possible(ctx, questions)
    answers = ctx.input_responses or {}
    if questions.keys() <= answers.keys():
        # The state that comes back has passed the SDK's seal.
        return [text(f"state-ok {ctx.request_state}: {answers}")]
    return InputRequiredResult(input_requests=questions, request_state=state)


def add_asking_tools(mcp: MCPServer) -> None:
    """The flow of 2026-07-28, by hand: the suite prescribes the keys of the questions."""

    def asking(questions: InputRequests) -> Any:
        async def ask(ctx: Context) -> InputRequiredResult | list[TextContent]:
            return _ask(ctx, questions)

        return ask

    for name, questions in QUESTIONS.items():
        mcp.add_tool(asking(questions), name=name, description="Asks.", structured_output=False)

    @mcp.tool(structured_output=False)
    async def test_input_required_result_multi_round(
        ctx: Context,
    ) -> InputRequiredResult | list[TextContent]:
        """Asks twice."""
        step = "step1" if ctx.request_state is None else "step2"
        return _ask(ctx, {step: STEPS[step]}, state=step)

    @mcp.prompt()
    async def test_input_required_result_prompt(ctx: Context) -> InputRequiredResult | list[TextContent]:
        """Asks before it answers."""
        return _ask(ctx, {"user_context": elicits("What context should the prompt use?", context="string")})


class User(BaseModel):
    username: str = Field(description="User's response")
    email: str = Field(description="User's email address")


class Defaults(BaseModel):
    """A default of each primitive type (SEP-1034)."""

    name: str = "John Doe"
    age: int = 30
    score: float = 95.5
    status: Annotated[str, Field(json_schema_extra={"enum": ["active", "inactive", "pending"]})] = "active"
    verified: bool = True


def _titled(*values: str) -> list[Any]:
    return [{"const": value, "title": value.title()} for value in values]


class Choices(BaseModel):
    """Every form of an enumeration (SEP-1330), in the suite's spelling."""

    untitledSingle: Annotated[str, Field(json_schema_extra={"enum": ["option1", "option2"]})]  # noqa: N815
    titledSingle: Annotated[str, Field(json_schema_extra={"oneOf": _titled("value1", "value2")})]  # noqa: N815
    legacyEnum: Annotated[  # noqa: N815
        str, Field(json_schema_extra={"enum": ["opt1", "opt2"], "enumNames": ["Option One", "Option Two"]})
    ]
    untitledMulti: Annotated[  # noqa: N815
        list[str], Field(json_schema_extra={"items": {"type": "string", "enum": ["option1", "option2"]}})
    ]
    titledMulti: Annotated[  # noqa: N815
        list[str], Field(json_schema_extra={"items": {"anyOf": _titled("value1", "value2")}})
    ]


async def _who(message: str) -> Elicit[User]:
    return Elicit(message, User)


async def _with_defaults() -> Elicit[Defaults]:
    return Elicit("Please provide user information", Defaults)


async def _with_choices() -> Elicit[Choices]:
    return Elicit("Please choose", Choices)


async def _llm(prompt: str) -> Sample:
    return Sample([SamplingMessage(role="user", content=text(prompt))], max_tokens=100)


async def _any_llm() -> Sample:
    return await _llm("Anything")


def add_resolving_tools(mcp: MCPServer) -> None:
    """The way of our own tools, which works in both eras."""

    @mcp.tool()
    async def test_elicitation(message: str, user: Annotated[ElicitationResult[User], Resolve(_who)]) -> str:
        """Asks the user."""
        return f"User response to {message}: {user.action}"

    @mcp.tool()
    async def test_elicitation_sep1034_defaults(given: Annotated[Defaults, Resolve(_with_defaults)]) -> str:
        """Asks with defaults."""
        return f"Elicitation completed: {given}"

    @mcp.tool()
    async def test_elicitation_sep1330_enums(chosen: Annotated[Choices, Resolve(_with_choices)]) -> str:
        """Asks with choices."""
        return f"Elicitation completed: {chosen}"

    @mcp.tool()
    async def test_sampling(prompt: str, reply: Annotated[CreateMessageResult, Resolve(_llm)]) -> str:
        """Asks the client's model."""
        return f"LLM response to {prompt}: {reply.content}"

    @mcp.tool()
    async def test_missing_capability(reply: Annotated[CreateMessageResult, Resolve(_any_llm)]) -> str:
        """Asks the client's model, which the suite's client has not."""
        return f"LLM response: {reply.content}"
