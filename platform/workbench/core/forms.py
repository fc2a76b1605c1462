"""Forms people fill in before they are inside."""

from __future__ import annotations

from django import forms


class SetupForm(forms.Form):
    """The first user and the first project."""

    name = forms.CharField(label="Your name", max_length=120, required=False)
    email = forms.EmailField(label="E-mail address", max_length=254)
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters.",
    )
    project = forms.CharField(label="First project", max_length=120, initial="My project")


class SignInForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
