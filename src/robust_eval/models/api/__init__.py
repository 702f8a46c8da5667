"""Hosted models: `openai:` for any OpenAI-compatible server, `litellm:` for other providers."""
