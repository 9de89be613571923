'use strict';
// Keeps the address of the conversation in the address bar, so that a reload opens it again.
window.addEventListener('message', (event) => {
  const place = event.source === window && event.data && event.data.pilothouse;
  if (!place || typeof place.thread !== 'string') return;
  const path = `/chat/thread/${encodeURIComponent(place.thread)}`;
  if (window.location.pathname === '/chat/') window.history.replaceState(null, '', path);
});
