// What Chainlit's page lacks for screen readers and keyboards, and the address of the conversation.
'use strict';

(() => {
  const NAMES = [
    ['#sidebar-trigger-button', 'Show or hide the conversations'],
    ['#search-chats-button', 'Search the conversations'],
    ['#new-chat-button', 'New conversation'],
    ['#upload-button, #upload-button-loading', 'Attach files'],
    ['#chat-submit', 'Send'],
    ['#stop-button', 'Stop'],
    ['#chat-input', 'Your message'],
    ['.positive-feedback-off, .positive-feedback-on', 'That was right'],
    ['.negative-feedback-off, .negative-feedback-on', 'That was wrong'],
    ['button:has(> svg.lucide-copy), button:has(> svg.lucide-check)', 'Copy'],
    ['button:has(> svg.lucide-message-circle)', 'Edit the comment'],
    ['#user-nav-button', 'Your account']
  ];

  function mend() {
    for (const [selector, name] of NAMES) {
      for (const element of document.querySelectorAll(selector)) {
        if (element.hasAttribute('aria-label') || element.textContent.trim().length > 1) continue;
        element.setAttribute('aria-label', name);
      }
    }
    for (const button of document.querySelectorAll('#upload-button[role=presentation]')) {
      button.removeAttribute('role');
    }
    for (const list of document.querySelectorAll('ul[data-sidebar=menu]:not([role])')) {
      if (!list.matches(':not(:has(> :not(li)))')) list.setAttribute('role', 'group');
    }
    for (const options of document.querySelectorAll('#thread-options[aria-haspopup]')) {
      options.removeAttribute('aria-haspopup');
      options.removeAttribute('aria-expanded');
    }
    for (const link of document.querySelectorAll('[id^=thread-] > a:not([aria-keyshortcuts])')) {
      link.setAttribute('aria-keyshortcuts', 'F2');
      link.title = 'F2: rename or erase';
    }
    const said = document.querySelector('[data-step-type]');
    const log = said && said.parentElement;
    if (log && log.getAttribute('role') !== 'log') {
      log.setAttribute('role', 'log');
      log.setAttribute('aria-live', 'polite');
      log.setAttribute('aria-label', 'Conversation');
    }
  }

  new MutationObserver(mend).observe(document.documentElement, { childList: true, subtree: true });

  // F2 on a conversation opens its menu, which otherwise wants a pointer.
  document.addEventListener('keydown', (event) => {
    const entry = event.key === 'F2' && event.target.closest('[id^=thread-]');
    const options = entry && entry.querySelector('#thread-options');
    if (!options) return;
    event.preventDefault();
    options.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, button: 0 }));
  });

  // Keeps the address of the conversation in the address bar, so that a reload opens it again.
  window.addEventListener('message', (event) => {
    const place = event.source === window && event.data && event.data.pilothouse;
    if (!place || typeof place.thread !== 'string') return;
    const path = `/chat/thread/${encodeURIComponent(place.thread)}`;
    if (window.location.pathname === '/chat/') window.history.replaceState(null, '', path);
  });

  // Chainlit's script at times connects before it has read which conversation the address names;
  // the page then stays empty. Loading it anew, after longer and longer waits, is what helps.
  const TRIED = 'pilothouse-empty';
  let emptySince = null;

  function isEmpty() {
    return window.location.pathname.startsWith('/chat/thread/') && document.querySelector('main')
      && !document.querySelector('#chat-input, [data-step-type]');
  }

  setInterval(() => {
    if (!isEmpty()) {
      emptySince = null;
      window.sessionStorage.removeItem(TRIED);
      return;
    }
    emptySince = emptySince || Date.now();
    const tried = Number(window.sessionStorage.getItem(TRIED) || 0);
    if (tried > 4 || Date.now() - emptySince < 3000 * 2 ** tried) return;
    emptySince = Date.now();
    fetch('/healthz').then((answer) => {
      if (!answer.ok || !isEmpty()) return;
      window.sessionStorage.setItem(TRIED, String(tried + 1));
      window.location.reload();
    }).catch(() => {}); // nobody is there to ask: the next look tries again
  }, 500);
})();
