"""Makes tokens with the installed version of simplejwt, and prints them as JSON.

The argument is the key that signs them.
"""

import json
import sys
from datetime import timedelta
from importlib.metadata import version
from types import SimpleNamespace

from django.conf import settings

settings.configure(
    SECRET_KEY=sys.argv[1],
    SIMPLE_JWT={"SIGNING_KEY": sys.argv[1], "ALGORITHM": "HS256"},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    USE_TZ=True,
)

import django  # noqa: E402

django.setup()

from rest_framework_simplejwt.tokens import AccessToken, RefreshToken  # noqa: E402

user = SimpleNamespace(id=42, pk=42, is_active=True, password="x")
access = AccessToken.for_user(user)
refresh = RefreshToken.for_user(user)
expired = AccessToken.for_user(user)
expired.set_exp(lifetime=-timedelta(seconds=1))
print(
    json.dumps(
        {
            "version": version("djangorestframework-simplejwt"),
            "now": access.current_time.isoformat(),
            "user_id": access["user_id"],
            "access": str(access),
            "access_of_refresh": str(refresh.access_token),
            "refresh": str(refresh),
            "expired": str(expired),
        }
    )
)
