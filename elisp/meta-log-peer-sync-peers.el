;;; meta-log-peer-sync-peers.el --- The list of known peers  -*- lexical-binding: t; -*-

;; Copyright (C) 2026 The meta-log-peer-sync authors

;; SPDX-License-Identifier: MIT

;; Author: The meta-log-peer-sync authors
;; Version: 0.1.0
;; URL: https://github.com/bthornemail/meta-log-peer-sync
;; Keywords: comm, tools

;;; Commentary:

;; M-x meta-log-peer-sync-peers lists everybody who has announced itself,
;; and accepts, blocks or connects to them.

;;; Code:

(require 'meta-log-peer-sync-list)

(declare-function meta-log-peer-sync-accept-peer "meta-log-peer-sync")
(declare-function meta-log-peer-sync-block-peer "meta-log-peer-sync")
(declare-function meta-log-peer-sync-connect "meta-log-peer-sync")

(defvar meta-log-peer-sync-peers-mode-map
  (let ((map (make-sparse-keymap)))
    (set-keymap-parent map meta-log-peer-sync-list-mode-map)
    (define-key map (kbd "RET") #'meta-log-peer-sync-peers-describe)
    (define-key map "a" #'meta-log-peer-sync-peers-accept)
    (define-key map "b" #'meta-log-peer-sync-peers-block)
    (define-key map "c" #'meta-log-peer-sync-peers-connect)
    (define-key map "w" #'meta-log-peer-sync-peers-copy-id)
    (define-key map "s" #'meta-log-peer-sync-peers-safety-words)
    map)
  "Keys of `meta-log-peer-sync-peers-mode'.")

(define-derived-mode meta-log-peer-sync-peers-mode meta-log-peer-sync-list-mode "Peers"
  "Major mode for the list of known peers.
Waiting counts what the peer has not acknowledged yet, Held the documents
of it that are held back until you accept it.
\\{meta-log-peer-sync-peers-mode-map}"
  (setq tabulated-list-format [("Peer" 20 t) ("State" 10 t) ("Trust" 10 t)
                               ("Waiting" 8 t :right-align t) ("Held" 6 t :right-align t)
                               ("Last seen" 21 t) ("Id" 57 t)]
        tabulated-list-sort-key '("Peer"))
  (tabulated-list-init-header))

(defun meta-log-peer-sync-peers--row (id peer)
  "Return the row of PEER, whose peer id is ID."
  (list id
        (vector (meta-log-peer-sync-core-name id)
                (meta-log-peer-sync-list-state
                 (cond ((meta-log-peer-sync-peer-connected peer) "connected")
                       ((meta-log-peer-sync-peer-online peer) "online")
                       (t "offline")))
                (meta-log-peer-sync-list-state
                 (meta-log-peer-sync-core-plain
                  (or (meta-log-peer-sync-peer-trust peer) "unknown")))
                (number-to-string (or (meta-log-peer-sync-peer-unacknowledged peer) 0))
                (number-to-string (or (meta-log-peer-sync-peer-held peer) 0))
                (meta-log-peer-sync-core-time (meta-log-peer-sync-peer-last-seen peer))
                (meta-log-peer-sync-core-plain id))))

(defun meta-log-peer-sync-peers--entries ()
  "Return the rows of the peers that are known."
  (let (rows)
    (maphash (lambda (id peer) (push (meta-log-peer-sync-peers--row id peer) rows))
             meta-log-peer-sync-core-peers)
    (sort rows (lambda (one other) (string< (car one) (car other))))))

(defun meta-log-peer-sync-peers--fetch (function failed)
  "Call FUNCTION with the rows of the peers that are known, or FAILED.
Before the sidecar has named any, nobody is known: it is asked first."
  (if (and (meta-log-peer-sync-rpc-running-p)
           (= 0 (hash-table-count meta-log-peer-sync-core-peers)))
      (meta-log-peer-sync-core-refresh-peers
       (lambda () (funcall function (meta-log-peer-sync-peers--entries))) failed)
    (funcall function (meta-log-peer-sync-peers--entries))))

;;;###autoload
(defun meta-log-peer-sync-peers ()
  "List the known peers; return the buffer."
  (interactive)
  (when (and (meta-log-peer-sync-rpc-running-p)
             (< 0 (hash-table-count meta-log-peer-sync-core-peers)))
    (meta-log-peer-sync-core-refresh-peers))
  (meta-log-peer-sync-list-show
   "*meta-log-peer-sync peers*" #'meta-log-peer-sync-peers-mode
   #'meta-log-peer-sync-peers--fetch
   '(nil "peer-discovered" "peer-connected" "peer-disconnected" "peer-trusted"
         "document-held")))

(defun meta-log-peer-sync-peers-describe ()
  "Show everything that is known about the peer at point."
  (interactive)
  (let* ((id (meta-log-peer-sync-list-id))
         (peer (gethash id meta-log-peer-sync-core-peers)))
    (unless peer
      (user-error "This peer is not known any more; g refreshes the list"))
    (message "%s"
             (format "%s\nkey %s\naddress %s, trust %s, %d waiting (not acknowledged yet), \
%s held back"
                     id (meta-log-peer-sync-peer-public-key peer)
                     (meta-log-peer-sync-core-plain
                      (or (meta-log-peer-sync-peer-address peer) "unknown"))
                     (meta-log-peer-sync-peer-trust peer)
                     (or (meta-log-peer-sync-peer-unacknowledged peer) 0)
                     (meta-log-peer-sync-core-count (meta-log-peer-sync-peer-held peer)
                                                    "document")))))

(defun meta-log-peer-sync-peers-accept ()
  "Accept the peer at point."
  (interactive)
  (meta-log-peer-sync-accept-peer (meta-log-peer-sync-list-id)))

(defun meta-log-peer-sync-peers-block (&optional peer-id)
  "Block the peer PEER-ID, default that at point.
Interactively it asks first, because what is held back of it is dropped."
  (interactive
   (let ((id (meta-log-peer-sync-list-id)))
     (unless (y-or-n-p (format "Block %s, and drop what is held back of it? "
                               (meta-log-peer-sync-core-name id)))
       (user-error "Nobody was blocked"))
     (list id)))
  (meta-log-peer-sync-block-peer (or peer-id (meta-log-peer-sync-list-id))))

(defun meta-log-peer-sync-peers-connect ()
  "Connect to the peer at point."
  (interactive)
  (meta-log-peer-sync-connect (meta-log-peer-sync-list-id)))

(defun meta-log-peer-sync-peers-copy-id ()
  "Put the id of the peer at point into the kill ring."
  (interactive)
  (kill-new (meta-log-peer-sync-list-id))
  (message "%s" (meta-log-peer-sync-list-id)))

;;;; Who is who

;;;###autoload
(defun meta-log-peer-sync-identity ()
  "Show who this peer is, and copy its id; return t at once."
  (interactive)
  (meta-log-peer-sync-core-request
   "identity.show" nil
   (lambda (answer)
     (kill-new (plist-get answer :peer_id))
     (message "%s\nname %s, protected by %s\n%s\n%s"
              (plist-get answer :peer_id)
              (if (plist-get answer :name)
                  (meta-log-peer-sync-core-plain (plist-get answer :name))
                "(none)")
              (meta-log-peer-sync-core-plain (plist-get answer :protection))
              (meta-log-peer-sync-core-plain (plist-get answer :fingerprint) 100)
              (meta-log-peer-sync-peers--words answer))))
  t)

(defun meta-log-peer-sync-peers--words (answer)
  "Return the words in ANSWER as one harmless line."
  (let ((words (plist-get answer :words)))
    (meta-log-peer-sync-core-plain
     (if (stringp words) words (mapconcat #'identity words " ")) 200)))

;;;###autoload
(defun meta-log-peer-sync-safety-words (peer-id)
  "Show the words that the peer PEER-ID and you both see; return t at once.
Compare them by voice: when they are the same, nobody is in between."
  (interactive (list (meta-log-peer-sync-core-read-peer "Safety words with peer: ")))
  (meta-log-peer-sync-core-request
   "identity.words" (list :peer_id (meta-log-peer-sync-core-check-peer-id peer-id))
   (lambda (answer)
     (message "%s sees the same words, if nobody is in between:\n%s"
              (meta-log-peer-sync-core-name peer-id)
              (meta-log-peer-sync-peers--words answer))))
  t)

(defun meta-log-peer-sync-peers-safety-words ()
  "Show the safety words of the peer at point."
  (interactive)
  (meta-log-peer-sync-safety-words (meta-log-peer-sync-list-id)))

(provide 'meta-log-peer-sync-peers)
;;; meta-log-peer-sync-peers.el ends here
